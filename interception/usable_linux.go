package interception

import (
	"context"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
)

// Usable says why no backend could program a namespace on this machine, or nil.
// It looks only, in the calling thread's namespace.
func Usable(ctx context.Context, o Options) error { return UsableAs(ctx, builder.BackendAuto, o) }

// UsableAs is Usable for one choice of backend.
func UsableAs(ctx context.Context, b builder.Backend, o Options) error {
	return withChoice(ctx, b, o, func(c choice) error {
		_, err := c.read(ctx, iptables.V4)
		return err
	})
}

// Chosen says which backend a run in the calling thread's namespace would take,
// and why.
func Chosen(ctx context.Context, b builder.Backend, o Options) (name string, why []string, err error) {
	err = withChoice(ctx, b, o, func(c choice) error {
		name, why = c.name(), c.why
		return nil
	})
	return name, why, err
}

func withChoice(ctx context.Context, b builder.Backend, o Options, do func(choice) error) error {
	nft, err := nftables.Open()
	if err != nil {
		return err
	}
	defer nft.Close()
	chosen, err := look(ctx, nft, o).choose(b)
	if err != nil {
		return err
	}
	return do(chosen)
}
