package interception

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

// tables is an iptables backend.
type tables struct{ xtables.Backend }

func (t tables) name() string { return t.String() }

func (t tables) programs(f iptables.Family) bool { return t.Has(f) }

// apply leaves sets that nothing asks any more if they do not go: the rules are
// right then, and no reason to undo them. They go after a failure too, whatever
// rules stand then: the kernel keeps those that a rule asks.
func (t tables) apply(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	changed, asked, err := t.applySets(ctx, wants)
	tidied, left := tidySets(ctx, asked)
	if left != nil && err == nil {
		tidied = append(tidied, "sets that no rule asks are left: "+left.Error())
	}
	return append(changed, tidied...), err
}

func (t tables) applyRules(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	report, err := xtables.Apply(ctx, t.Backend, wants)
	var changed []string
	for _, c := range report.Changes {
		var names []string
		for _, table := range c.Tables {
			names = append(names, string(table))
		}
		changed = append(changed, fmt.Sprintf("%s %s: %d changes in %s", t.name(), c.Family, c.Lines, strings.Join(names, ", ")))
	}
	return changed, err
}

func (t tables) check(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	return t.checkSets(ctx, wants)
}

func (t tables) checkRules(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	diffs, err := xtables.Check(ctx, t.Backend, wants)
	var list []string
	for _, d := range diffs {
		list = append(list, d.String())
	}
	return list, err
}

func (t tables) read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	rs, err := t.Read(ctx, f)
	return withElements(ctx, rs), err
}
