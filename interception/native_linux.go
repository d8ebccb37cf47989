package interception

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
)

// native is the nf_tables backend: netlink, and no program.
type native struct {
	conn *nftables.Conn
	opts nftables.Options
}

func (o Options) native(conn *nftables.Conn) native {
	return native{conn: conn, opts: nftables.Options{Counters: o.counters}}
}

func (native) name() string { return "nftables" }

func (native) programs(iptables.Family) bool { return true }

func (n native) apply(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	v4, v6 := byFamily(wants)
	report, err := n.conn.Apply(ctx, v4, v6, n.opts)
	if err != nil || report.Plan.Empty() {
		return nil, err
	}
	return []string{fmt.Sprintf("nftables: %d changes in one transaction, %d rules now", report.Plan.Len(), report.Rules)}, nil
}

func (n native) check(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	v4, v6 := byFamily(wants)
	diffs, err := n.conn.Check(ctx, v4, v6)
	var list []string
	for _, d := range diffs {
		list = append(list, d.String())
	}
	return list, err
}

func (n native) read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	tables, err := n.conn.Read(ctx)
	v4, v6 := tables.Rulesets()
	if f == iptables.V6 {
		return v6, err
	}
	return v4, err
}

// stands says whether rules of ours are in nf_tables. A kernel without
// nf_tables holds none; any other failure is an error, since rules that were
// overlooked would stay.
func (n native) stands(ctx context.Context) (bool, error) {
	present, err := n.conn.Present(ctx)
	for _, harmless := range []error{unix.EINVAL, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, fs.ErrNotExist} {
		if errors.Is(err, harmless) {
			return false, nil
		}
	}
	return present, err
}

func byFamily(wants []iptables.Ruleset) (v4, v6 iptables.Ruleset) {
	v4, v6 = iptables.Ruleset{Family: iptables.V4}, iptables.Ruleset{Family: iptables.V6}
	for _, w := range wants {
		if w.Family == iptables.V6 {
			v6 = w
		} else {
			v4 = w
		}
	}
	return v4, v6
}
