package interception

import (
	"context"

	"github.com/sluicemesh/sluice/iptables"
)

// backend is a way for rules to reach the kernel.
type backend interface {
	// name is how the user chooses it: "iptables-nft".
	name() string
	// programs says whether the backend can program a family here.
	programs(f iptables.Family) bool
	apply(ctx context.Context, wants []iptables.Ruleset) (changed []string, err error)
	check(ctx context.Context, wants []iptables.Ruleset) ([]string, error)
	read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error)
}

// choice is the backend to use, why, and what stands in others.
type choice struct {
	backend
	why    []string
	others []backend // hold rules of ours that go once the new ones are verified
}

// Options are what a run needs besides its configuration. The zero value is
// good.
type Options struct {
	// Path is where programs are looked for; nil means the usual places.
	Path []string
	// Debug is told what is done in detail; nil is nobody.
	Debug func(format string, args ...any)

	counters bool // of nf_tables rules
}

func (o Options) debug(format string, args ...any) {
	if o.Debug != nil {
		o.Debug(format, args...)
	}
}

// rendered is a rule set whose text is made only if somebody reads it.
type rendered iptables.Ruleset

// String is the text of the rules.
func (r rendered) String() string { return iptables.Render(iptables.Ruleset(r)) }
