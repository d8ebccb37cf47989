package nftables

import (
	"net/netip"
	"slices"
	"sort"

	"github.com/sluicemesh/sluice/iptables"
)

// joinRuns makes one rule of neighbours that differ in one address or one port
// only, in the order of the first. Rules that match through an inverted
// condition are not joined: theirs is an intersection.
func joinRuns(rules []iptables.Rule) []iptables.Rule {
	var out []iptables.Rule
	for len(rules) > 0 {
		n, joined := longestRun(rules)
		out, rules = append(out, joined), rules[n:]
	}
	return out
}

// longestRun is the number of rules from the first on that are one, and that one.
func longestRun(rules []iptables.Rule) (int, iptables.Rule) {
	best, joined := 1, rules[0]
	for at, m := range rules[0].Match {
		if inverted, ok := variable(m); !ok || inverted {
			continue
		}
		if n := runAt(rules, at); n > best {
			best, joined = n, joinAt(rules[:n], at)
		}
	}
	return best, joined
}

// variable says whether a condition is of a kind that may be a set.
func variable(m iptables.Match) (inverted, ok bool) {
	switch m := m.(type) {
	case iptables.Source:
		return m.Not, true
	case iptables.Destination:
		return m.Not, true
	case iptables.InSet:
		return m.Not, true
	case iptables.SourcePort:
		return m.Not, true
	case iptables.DestinationPort:
		return m.Not, true
	case iptables.MultiPort:
		return m.Not, true
	}
	return false, false
}

// runAt counts the rules that equal the first but for the condition at a place.
func runAt(rules []iptables.Rule, at int) int {
	n := 1
	for n < len(rules) && alikeBut(rules[0], rules[n], at) {
		n++
	}
	if repeatable(rules[0].Target) {
		return n
	}
	return sort.Search(n, func(i int) bool { return !disjoint(rules[:i+1], at) })
}

func alikeBut(a, b iptables.Rule, at int) bool {
	if a.Target != b.Target || a.Comment != b.Comment || len(a.Match) != len(b.Match) {
		return false
	}
	inverted, ok := variable(b.Match[at])
	return ok && !inverted && sideOf(a.Match[at]) == sideOf(b.Match[at]) &&
		sameMatches(a.Match[:at], b.Match[:at]) && sameMatches(a.Match[at+1:], b.Match[at+1:])
}

// slot is what a variable condition looks at.
type slot struct {
	side iptables.Side
	port bool
}

func sideOf(m iptables.Match) slot {
	switch m := m.(type) {
	case iptables.Source:
		return slot{iptables.SrcSide, false}
	case iptables.InSet:
		return slot{m.Side, false}
	case iptables.SourcePort:
		return slot{iptables.SrcSide, true}
	case iptables.DestinationPort:
		return slot{iptables.DstSide, true}
	case iptables.MultiPort:
		return slot{m.Side, true}
	}
	return slot{iptables.DstSide, false}
}

// repeatable targets end the chain for the packet, or change nothing when met
// twice. A packet may meet another target once for each rule that it matches.
func repeatable(t iptables.Target) bool {
	switch t := t.(type) {
	case iptables.Verdict, iptables.Redirect, iptables.TProxy, iptables.SetMark, iptables.Zone:
		return true
	case iptables.JumpTo:
		return t.Goto
	}
	return false
}

// disjoint says whether no packet can match two of the rules.
func disjoint(rules []iptables.Rule, at int) bool {
	var ports []iptables.PortRange
	var addrs []iptables.AddrRange
	for _, r := range rules {
		ports = append(ports, portsOf(r.Match[at])...)
		for _, p := range prefixesOf(r.Match[at]) {
			addrs = append(addrs, iptables.RangeOf(p))
		}
	}
	slices.SortFunc(ports, func(a, b iptables.PortRange) int { return int(a.First) - int(b.First) })
	slices.SortFunc(addrs, func(a, b iptables.AddrRange) int { return a.First.Compare(b.First) })
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
func joinAt(rules []iptables.Rule, at int) iptables.Rule {
	joined := rules[0]
	joined.Match = append([]iptables.Match(nil), rules[0].Match...)
	s := sideOf(joined.Match[at])
	if s.port {
		var all []iptables.PortRange
		for _, r := range rules {
			all = append(all, portsOf(r.Match[at])...)
		}
		joined.Match[at] = ports(s.side, false, all...)
		return joined
	}
	var all []netip.Prefix
	for _, r := range rules {
		all = append(all, prefixesOf(r.Match[at])...)
	}
	m, _ := addresses(s.side, false, all...)
	if m == nil { // together they hold every address
		joined.Match = append(joined.Match[:at], joined.Match[at+1:]...)
		return joined
	}
	joined.Match[at] = m
	return joined
}

func portsOf(m iptables.Match) []iptables.PortRange {
	switch m := m.(type) {
	case iptables.SourcePort:
		return []iptables.PortRange{m.Range}
	case iptables.DestinationPort:
		return []iptables.PortRange{m.Range}
	case iptables.MultiPort:
		return m.Ranges
	}
	return nil
}

func prefixesOf(m iptables.Match) []netip.Prefix {
	switch m := m.(type) {
	case iptables.Source:
		return []netip.Prefix{m.Prefix}
	case iptables.Destination:
		return []netip.Prefix{m.Prefix}
	case iptables.InSet:
		return m.Elements
	}
	return nil
}
