package interception

import (
	"context"
	"fmt"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

// choose finds the backend for a configuration, and where else rules of ours stand.
func choose(ctx context.Context, c builder.Config, o Options) (choice, error) {
	env := xtables.Look(ctx, o.path())
	chosen, reasons, err := xtables.Detect(env, xtablesChoice(c.Backend))
	if err != nil {
		return choice{}, err
	}
	ch := choice{backend: tables{chosen}}
	for _, r := range reasons {
		ch.why = append(ch.why, string(r))
	}
	for _, other := range xtables.Others(env, chosen) {
		ch.others = append(ch.others, tables{other})
	}
	return ch, nil
}

// present lists the backends in which rules of ours stand, or may stand.
func present(ctx context.Context, o Options) []backend {
	var list []backend
	for _, b := range xtables.Present(xtables.Look(ctx, o.path())) {
		list = append(list, tables{b})
	}
	return list
}

func (o Options) path() []string {
	if o.Path == nil {
		return xtables.DefaultPath()
	}
	return o.Path
}

func xtablesChoice(b builder.Backend) xtables.Choice {
	switch b {
	case builder.BackendIptables:
		return xtables.Plain
	case builder.BackendIptablesNft:
		return xtables.ChooseNFT
	case builder.BackendIptablesLegacy:
		return xtables.ChooseLegacy
	}
	return xtables.Auto
}

// tables is an iptables backend.
type tables struct{ xtables.Backend }

func (t tables) name() string { return t.Backend.String() }

func (t tables) programs(f iptables.Family) bool { return t.Has(f) }

func (t tables) apply(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	report, err := xtables.Apply(ctx, t.Backend, wants)
	var changed []string
	for _, c := range report.Changes {
		changed = append(changed, fmt.Sprintf("%s %s: %d changes in %v", t.name(), c.Family, c.Lines, c.Tables))
	}
	return changed, err
}

func (t tables) check(ctx context.Context, wants []iptables.Ruleset) ([]string, error) {
	diffs, err := xtables.Check(ctx, t.Backend, wants)
	var list []string
	for _, d := range diffs {
		list = append(list, d.String())
	}
	return list, err
}

func (t tables) read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	return t.Read(ctx, f)
}
