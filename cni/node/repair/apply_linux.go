package repair

import (
	"context"
	"errors"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
)

// Apply programs the pod's namespace by the same way as the plugin and the
// init container, once Open has made sure that it is the pod's.
func (n Namespaces) Apply(ctx context.Context, uid string, ips []string, c builder.Config) error {
	ns, err := n.Open(ctx, uid, ips)
	if err != nil {
		return err
	}
	err = ns.Do(func() error {
		_, err := interception.Apply(ctx, c, interception.Options{})
		return err
	})
	return errors.Join(err, ns.Close())
}
