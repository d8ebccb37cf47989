package interception

import (
	"context"

	"github.com/sluicemesh/sluice/builder"
)

// Usable says why no backend could program a namespace on this machine, or nil.
// It looks only, in the calling thread's namespace.
func Usable(ctx context.Context, o Options) error {
	_, err := choose(ctx, builder.Default(), o)
	return err
}
