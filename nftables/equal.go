package nftables

import (
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Equal says whether two rules do the same for the same packets of the same
// families. Counters are no part of it.
func (r Rule) Equal(other Rule) bool { return r.Only == other.Only && same(r.Rule, other.Rule) }

// same compares two rules in normal form.
func same(a, b iptables.Rule) bool {
	return a.Target == b.Target && a.Comment == b.Comment && sameMatches(a.Match, b.Match)
}

func sameMatches(a, b []iptables.Match) bool { return slices.EqualFunc(a, b, sameMatch) }

func sameMatch(a, b iptables.Match) bool {
	switch x := a.(type) {
	case iptables.InSet:
		y, ok := b.(iptables.InSet)
		return ok && x.Side == y.Side && x.Not == y.Not && slices.Equal(x.Elements, y.Elements)
	case iptables.MultiPort:
		y, ok := b.(iptables.MultiPort)
		return ok && x.Side == y.Side && x.Not == y.Not && slices.Equal(x.Ranges, y.Ranges)
	case iptables.ConnState:
		y, ok := b.(iptables.ConnState)
		return ok && x.Not == y.Not && slices.Equal(x.States, y.States)
	case iptables.Opaque:
		y, ok := b.(iptables.Opaque)
		return ok && slices.Equal(x.Words, y.Words)
	}
	switch b.(type) {
	case iptables.InSet, iptables.MultiPort, iptables.ConnState, iptables.Opaque:
		return false
	}
	return a == b
}
