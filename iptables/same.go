package iptables

import (
	"slices"
)

// Same says whether two rules have the same conditions in the same order, the
// same target and comment. It is Equal without making texts, for rules whose
// conditions are known to stand in one order; the name of a set whose elements
// are known does not count.
func (r Rule) Same(other Rule) bool {
	return sameTarget(r.Target, other.Target) && r.Comment == other.Comment && SameMatches(r.Match, other.Match)
}

// SameMatches says whether two lists hold the same conditions in the same order.
func SameMatches(a, b []Match) bool { return slices.EqualFunc(a, b, sameMatch) }

func sameTarget(a, b Target) bool {
	if x, opaque := a.(OpaqueTarget); opaque {
		y, ok := b.(OpaqueTarget)
		return ok && x.Name == y.Name && slices.Equal(x.Words, y.Words)
	}
	return a == b // also where b alone is opaque: types differ
}

func sameMatch(a, b Match) bool {
	switch x := a.(type) {
	case InSet:
		y, ok := b.(InSet)
		return ok && x.Side == y.Side && x.Not == y.Not && slices.Equal(x.Elements, y.Elements) && (x.Elements != nil || x.Name == y.Name)
	case PortInSet:
		y, ok := b.(PortInSet)
		return ok && x.Side == y.Side && x.Not == y.Not && slices.Equal(x.Ranges, y.Ranges) && (x.Ranges != nil || x.Name == y.Name)
	case MultiPort:
		y, ok := b.(MultiPort)
		return ok && x.Side == y.Side && x.Not == y.Not && slices.Equal(x.Ranges, y.Ranges)
	case ConnState:
		y, ok := b.(ConnState)
		return ok && x.Not == y.Not && slices.Equal(x.States, y.States)
	case Opaque:
		y, ok := b.(Opaque)
		return ok && slices.Equal(x.Words, y.Words)
	}
	switch b.(type) {
	case InSet, PortInSet, MultiPort, ConnState, Opaque:
		return false
	}
	return a == b
}
