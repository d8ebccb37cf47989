package interception

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/ipset"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

// applySets applies the rules with sets in the place of long runs, sets first.
// Where kernel or iptables cannot do that, the rules are applied as they are.
func (t tables) applySets(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	packed := pack(wants)
	sets := ipset.For(packed...)
	if len(sets) == 0 {
		return t.applyRules(ctx, wants)
	}
	conn, err := ipset.Open()
	if err != nil {
		return t.applyRules(ctx, wants)
	}
	defer conn.Close()
	written, err := conn.Ensure(ctx, sets)
	var unsupported *ipset.Error
	if errors.As(err, &unsupported) && unsupported.Unsupported {
		return t.applyRules(ctx, wants)
	}
	if err != nil {
		return nil, err
	}
	changed, err := t.applyRules(ctx, packed)
	if err != nil && xtables.KindOf(err) != xtables.Busy && ctx.Err() == nil {
		changed, err = t.applyRules(ctx, wants) // no set match, perhaps: everything else fails again
	}
	if written > 0 {
		changed = append(changed, fmt.Sprintf("%s: %d sets", t.name(), written))
	}
	return changed, err
}

// tidySets removes the sets that no rule asks any more.
func tidySets(ctx context.Context, wants []iptables.Ruleset) error {
	conn, err := ipset.Open()
	if err != nil {
		return nil // without netlink there are no sets
	}
	defer conn.Close()
	_, err = conn.Tidy(ctx, ipset.For(pack(wants)...))
	return err
}

// checkSets compares with the rules as apply would have packed them, and with
// the rules as they are where that is what stands.
func (t tables) checkSets(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	packed := pack(wants)
	sets := ipset.For(packed...)
	diffs, err := t.checkRules(ctx, packed)
	if err != nil || len(sets) == 0 {
		return diffs, err
	}
	if plain, err := t.checkRules(ctx, wants); err == nil && len(plain) == 0 {
		return nil, nil
	}
	conn, err := ipset.Open()
	if err != nil {
		return diffs, err
	}
	defer conn.Close()
	more, err := conn.Check(ctx, sets)
	return append(diffs, more...), err
}

// withElements fills in what the sets hold that live rules ask, so that the
// rules can be explained and compared.
func withElements(ctx context.Context, rs iptables.Ruleset) iptables.Ruleset {
	if len(rs.Sets())+len(rs.PortSets()) == 0 {
		return rs
	}
	conn, err := ipset.Open()
	if err != nil {
		return rs
	}
	defer conn.Close()
	sets, err := conn.Read(ctx)
	if err != nil {
		return rs
	}
	return ipset.Fill(rs, sets)
}

func pack(wants []iptables.Ruleset) []iptables.Ruleset {
	packed := make([]iptables.Ruleset, len(wants))
	for i, w := range wants {
		packed[i] = w.PackSets(iptables.Runs{Least: SetsFrom, LeastPorts: PortSetsFrom})
	}
	return packed
}
