package interception

import (
	"context"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
)

// Usable says why no backend could program a namespace on this machine, or nil.
// It looks only, in the calling thread's namespace.
func Usable(ctx context.Context, o Options) error {
	nft, err := nftables.Open()
	if err != nil {
		return err
	}
	defer nft.Close()
	chosen, err := look(ctx, nft, o).choose(builder.BackendAuto)
	if err != nil {
		return err
	}
	_, err = chosen.read(ctx, iptables.V4)
	return err
}
