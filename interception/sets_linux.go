package interception

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/ipset"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

// applySets applies the rules with sets in the place of long runs, sets first,
// and returns the sets that they ask now. Where kernel or iptables cannot do
// that, the rules are applied as they are.
func (t tables) applySets(ctx context.Context, wants []iptables.Ruleset) (changed []string, asked []ipset.Set, err error) {
	packed := pack(wants)
	sets := ipset.For(packed...)
	if len(sets) == 0 {
		changed, err = t.applyRules(ctx, wants)
		return changed, nil, err
	}
	written, err := ensure(ctx, sets)
	var refused *ipset.Error
	if errors.As(err, &refused) && refused.Unsupported {
		changed, err = t.applyRules(ctx, wants)
		return changed, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	changed, err = t.applyRules(ctx, packed)
	if err != nil && xtables.KindOf(err) != xtables.Busy && ctx.Err() == nil {
		changed, err = t.applyRules(ctx, wants) // no set match, perhaps: everything else fails again
		return changed, nil, err
	}
	if written > 0 {
		changed = append(changed, fmt.Sprintf("%s: %d sets", t.name(), written))
	}
	return changed, sets, err
}

// ensure makes the sets be there and says how many it had to write.
func ensure(ctx context.Context, sets []ipset.Set) (written int, err error) {
	conn, err := ipset.Open()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.Ensure(ctx, sets)
}

// tidySets removes the sets of ours but those to be kept and those that a rule
// still asks, and says so if there were any.
func tidySets(ctx context.Context, keep []ipset.Set) ([]string, error) {
	conn, err := ipset.Open()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	removed, err := conn.Tidy(ctx, keep)
	if removed == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("removed sets that no rule asks: %d", removed)}, err
}

// checkSets compares with the rules as apply would have packed them, and where
// something else stands, with the rules as they are.
func (t tables) checkSets(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	packed := pack(wants)
	sets := ipset.For(packed...)
	diffs, err := t.checkRules(ctx, packed)
	if err != nil || len(sets) == 0 {
		return diffs, err
	}
	if len(diffs) > 0 {
		if plain, err := t.checkRules(ctx, wants); err == nil && len(plain) == 0 {
			return nil, nil
		}
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
