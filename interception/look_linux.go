package interception

import (
	"context"
	"errors"
	"io/fs"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/nftables"
)

// look finds out which backends there are and where rules of ours stand.
func look(ctx context.Context, conn *nftables.Conn, o Options) chooser {
	return lookNative(ctx, conn, o).beside(xtables.Look(ctx, o.path()))
}

func lookNative(ctx context.Context, conn *nftables.Conn, o Options) chooser {
	ch := chooser{native: o.native(conn)}
	var err error
	if ch.stands, err = ch.native.stands(ctx); errors.Is(err, fs.ErrPermission) {
		ch.hidden = err
	} else {
		ch.unsure = err
	}
	return ch
}

// lookFor is look for one choice of backend. Where nf_tables was asked for it
// does not matter what stands there, and no program is looked for if nothing
// stands in iptables.
func lookFor(ctx context.Context, b builder.Backend, conn *nftables.Conn, o Options) chooser {
	if b != builder.BackendNftables {
		return look(ctx, conn, o)
	}
	env := xtables.Glance(ctx)
	if len(xtables.Present(env)) > 0 {
		env = xtables.Look(ctx, o.path())
	}
	return chooser{native: o.native(conn)}.beside(env)
}

func (o Options) path() []string {
	if o.Path == nil {
		return xtables.DefaultPath()
	}
	return o.Path
}
