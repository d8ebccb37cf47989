package nftables

import (
	"github.com/sluicemesh/sluice/internal/align"
	"github.com/sluicemesh/sluice/iptables"
)

// weave makes one list of the rules of both families, in which each family
// meets its own rules in its own order. What both have is there once, as far as
// the order allows.
func weave(v4, v6 []iptables.Rule) []Rule {
	out := make([]Rule, 0, max(len(v4), len(v6)))
	for _, p := range align.Lists(len(v4), len(v6), func(i, j int) bool { return v4[i].Same(v6[j]) }) {
		switch {
		case p.Same():
			out = append(out, Rule{Rule: v4[p.A]})
		case p.B == align.None:
			out = append(out, Rule{Only: iptables.V4, Rule: v4[p.A]})
		default:
			out = append(out, Rule{Only: iptables.V6, Rule: v6[p.B]})
		}
	}
	return out
}
