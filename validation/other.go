//go:build !linux

package validation

import (
	"context"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// Gather needs Linux.
func Gather(context.Context, []iptables.Family, iptables.Port, bool) (Facts, error) {
	return Facts{}, netns.ErrUnsupported
}

// Run needs Linux.
func Run(context.Context, builder.Config, Facts, []Check, Options) (Report, error) {
	return Report{}, netns.ErrUnsupported
}
