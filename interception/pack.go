package interception

import (
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/ipset"
)

// setsFrom is the number of neighbouring rules, differing in one address, from
// which on an iptables backend asks a kernel set instead. Below some 50 rules
// nothing is measurable; with 5,000 linear ones a fifth of the connections is left.
const setsFrom = 64

// portSetsFrom is setsFrom for rules that differ in their ports, each of which
// holds up to 15: multiport compares them one after the other, and so is slower.
const portSetsFrom = 8

// pack puts sets in the place of long runs.
func pack(wants []iptables.Ruleset) []iptables.Ruleset {
	packed := make([]iptables.Ruleset, len(wants))
	for i, w := range wants {
		packed[i] = w.PackSets(iptables.Runs{Least: setsFrom, LeastPorts: portSetsFrom})
	}
	return packed
}

// AsksSets says whether an iptables backend asks kernel sets in the place of
// some of the rules, where the kernel has sets.
func (w Want) AsksSets() bool { return len(ipset.For(pack(w.Rules)...)) > 0 }
