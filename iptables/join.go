package iptables

import (
	"net/netip"
	"slices"
	"sort"
)

// Runs says which runs of rules [JoinRuns] joins.
type Runs struct {
	// Least is the number of rules from which on a run that differs in an
	// address is worth it, LeastPorts for one that differs in a port.
	Least, LeastPorts int
}

// JoinRuns makes one rule of neighbours that differ in one address or one port
// only, with a set in the place of what differs. Packets are decided alike. Rules
// that match through an inverted condition are not joined: theirs is an
// intersection. Conditions must stand in one order in all rules.
func JoinRuns(rules []Rule, runs Runs) []Rule {
	var out []Rule
	for len(rules) > 0 {
		n, joined := runs.longest(rules)
		out, rules = append(out, joined), rules[n:]
	}
	return out
}

// longest is the number of rules from the first on that are one, and that one.
func (runs Runs) longest(rules []Rule) (int, Rule) {
	var place int
	best := 1
	for at, m := range rules[0].Match {
		p, ok := joinable(m)
		if !ok {
			continue
		}
		least := runs.Least
		if p.Port {
			least = runs.LeastPorts
		}
		if n := runAt(rules, at); n > best && n >= least {
			best, place = n, at
		}
	}
	if best == 1 {
		return 1, rules[0]
	}
	return best, joinAt(rules[:best], place)
}

// runAt counts the rules that equal the first but for the condition at a place.
func runAt(rules []Rule, at int) int {
	n := 1
	for n < len(rules) && alikeBut(rules[0], rules[n], at) {
		n++
	}
	if repeatable(rules[0].Target) {
		return n
	}
	return sort.Search(n, func(i int) bool { return !disjoint(rules[:i+1], at) })
}

func alikeBut(a, b Rule, at int) bool {
	if !sameTarget(a.Target, b.Target) || a.Comment != b.Comment || len(a.Match) != len(b.Match) {
		return false
	}
	place, ok := joinable(b.Match[at])
	first, _ := joinable(a.Match[at])
	return ok && place == first &&
		SameMatches(a.Match[:at], b.Match[:at]) && SameMatches(a.Match[at+1:], b.Match[at+1:])
}

// Place is what a condition on an address or on a port looks at.
type Place struct {
	Side Side
	Port bool
}

// PlaceOf says what a condition looks at and whether it is inverted; not ok if
// that is neither an address nor a port.
func PlaceOf(m Match) (at Place, inverted, ok bool) {
	switch m := m.(type) {
	case Source:
		return Place{SrcSide, false}, m.Not, true
	case Destination:
		return Place{DstSide, false}, m.Not, true
	case InSet:
		return Place{m.Side, false}, m.Not, true
	case SourcePort:
		return Place{SrcSide, true}, m.Not, true
	case DestinationPort:
		return Place{DstSide, true}, m.Not, true
	case MultiPort:
		return Place{m.Side, true}, m.Not, true
	case PortInSet:
		return Place{m.Side, true}, m.Not, true
	}
	return Place{}, false, false
}

// joinable says whether a condition may become a larger set.
func joinable(m Match) (Place, bool) {
	at, inverted, _ := PlaceOf(m)
	known := len(PortsOf(m))+len(PrefixesOf(m)) > 0
	return at, known && !inverted && at.Side != Either
}

// repeatable targets end the chain for the packet, or change nothing when met
// twice. A packet may meet another target once for each rule that it matches.
func repeatable(t Target) bool {
	switch t := t.(type) {
	case Verdict, Redirect, TProxy, Zone:
		return true
	case SetMark: // bits outside of the mask are inverted, not written
		return t.Value&^t.Mask == 0
	case JumpTo:
		return t.Goto
	}
	return false
}

// disjoint says whether no packet can match two of the rules.
func disjoint(rules []Rule, at int) bool {
	var ports []PortRange
	var addrs []AddrRange
	for _, r := range rules {
		ports = append(ports, PortsOf(r.Match[at])...)
		for _, p := range PrefixesOf(r.Match[at]) {
			addrs = append(addrs, RangeOf(p))
		}
	}
	slices.SortFunc(ports, func(a, b PortRange) int { return int(a.First) - int(b.First) })
	slices.SortFunc(addrs, func(a, b AddrRange) int { return a.First.Compare(b.First) })
	for i := 1; i < len(ports); i++ {
		if ports[i].First <= ports[i-1].Last {
			return false
		}
	}
	for i := 1; i < len(addrs); i++ {
		if addrs[i].First.Compare(addrs[i-1].Last) <= 0 {
			return false
		}
	}
	return true
}

// joinAt is the first rule with the conditions of all at a place.
func joinAt(rules []Rule, at int) Rule {
	joined := rules[0]
	joined.Match = slices.Clone(joined.Match)
	place, _ := joinable(joined.Match[at])
	if place.Port {
		var all []PortRange
		for _, r := range rules {
			all = append(all, PortsOf(r.Match[at])...)
		}
		joined.Match[at] = PortMatch(place.Side, false, all...)
		return joined
	}
	var all []netip.Prefix
	for _, r := range rules {
		all = append(all, PrefixesOf(r.Match[at])...)
	}
	m := AddressMatch(place.Side, false, all...)
	if m == nil { // together they hold every address
		joined.Match = append(joined.Match[:at], joined.Match[at+1:]...)
		return joined
	}
	joined.Match[at] = m
	return joined
}

// PortsOf lists the ports with which a condition compares; nil if it compares none,
// or a set whose ports are not known.
func PortsOf(m Match) []PortRange {
	switch m := m.(type) {
	case SourcePort:
		return []PortRange{m.Range}
	case DestinationPort:
		return []PortRange{m.Range}
	case MultiPort:
		return m.Ranges
	case PortInSet:
		return m.Ranges
	}
	return nil
}

// PrefixesOf lists the prefixes with which a condition compares an address; nil if
// it compares none, or a set whose elements are not known.
func PrefixesOf(m Match) []netip.Prefix {
	switch m := m.(type) {
	case Source:
		return []netip.Prefix{m.Prefix}
	case Destination:
		return []netip.Prefix{m.Prefix}
	case InSet:
		return m.Elements
	}
	return nil
}
