package validation

import (
	"context"
	"time"

	"github.com/sluicemesh/sluice/iptables"
)

// Options are what a run needs besides its plan. The zero value tries once.
type Options struct {
	// Timeout is how long rules that are not there yet are waited for.
	Timeout time.Duration
	// Settled says that the rules are known to be in place, so that nothing can
	// change and nothing is waited for.
	Settled bool
	// Counters reads the rules with their counters; nil if that can't be done.
	Counters func(context.Context) ([]iptables.Ruleset, error)
}

// movedBetween lists the rules of ours that counted packets meanwhile. Rules
// are paired by their place, so a dump of other rules counts nothing.
func movedBetween(before, after []iptables.Ruleset) []Moved {
	var moved []Moved
	for i, rs := range after {
		if i >= len(before) || before[i].Family != rs.Family {
			continue
		}
		for _, c := range rs.Own().Chains {
			old, ok := before[i].Own().Chain(c.Table, c.Name)
			if !ok || len(old.Rules) != len(c.Rules) {
				continue
			}
			for n, r := range c.Rules {
				if d := r.Count.Packets - old.Rules[n].Count.Packets; d > 0 && r.Count.Packets > old.Rules[n].Count.Packets {
					moved = append(moved, Moved{rs.Family.String(), string(c.Table) + " -A " + c.Name + " " + r.String(), d})
				}
			}
		}
	}
	return moved
}
