package ipset

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Set is a kernel set: of addresses of one family (hash:net), or of ports, which
// have no family (bitmap:port).
type Set struct {
	Name     string
	Family   iptables.Family      // 0 for ports
	Elements []netip.Prefix       // aggregated, ascending
	Ports    []iptables.PortRange // joined, ascending
}

// For lists the sets that the rules of some families need, each once.
func For(rules ...iptables.Ruleset) []Set {
	var sets []Set
	for _, rs := range rules {
		for _, s := range rs.Sets() {
			sets = append(sets, Set{Name: s.Name, Family: rs.Family, Elements: s.Elements})
		}
		for _, s := range rs.PortSets() {
			if find(sets, s.Name) < 0 { // the other family asks it too
				sets = append(sets, Set{Name: s.Name, Ports: s.Ranges})
			}
		}
	}
	return sets
}

// find is the place of a set, -1 if there is none of this name.
func find(sets []Set, name string) int {
	return slices.IndexFunc(sets, func(s Set) bool { return s.Name == name })
}

// Fill returns the rules with the elements of the sets that they ask.
func Fill(rs iptables.Ruleset, sets []Set) iptables.Ruleset {
	filled := iptables.Ruleset{Family: rs.Family, Chains: slices.Clone(rs.Chains)}
	for i, c := range filled.Chains {
		rules := slices.Clone(c.Rules)
		for j := range rules {
			rules[j].Match = fillMatches(rules[j].Match, sets)
		}
		filled.Chains[i].Rules = rules
	}
	return filled
}

func fillMatches(matches []iptables.Match, sets []Set) []iptables.Match {
	matches = slices.Clone(matches)
	for i, m := range matches {
		switch asked := m.(type) {
		case iptables.InSet:
			if at := find(sets, asked.Name); at >= 0 {
				asked.Elements = sets[at].Elements
				matches[i] = asked
			}
		case iptables.PortInSet:
			if at := find(sets, asked.Name); at >= 0 {
				asked.Ranges = sets[at].Ports
				matches[i] = asked
			}
		}
	}
	return matches
}

// Ours says whether a set of this name is one of ours.
func Ours(name string) bool { return strings.HasPrefix(name, iptables.SetPrefix) }

// equal compares contents, the kernel's being in no order.
func (s Set) equal(other Set) bool {
	return s.Family == other.Family && slices.Equal(iptables.JoinPorts(s.Ports), iptables.JoinPorts(other.Ports)) && slices.Equal(iptables.Aggregate(s.Elements), iptables.Aggregate(other.Elements))
}

// Error is the kernel's refusal.
type Error struct {
	Op  string // "create the set sluice-4-…"
	Err error
	// Unsupported: the kernel has no ip_set, no hash:net or no bitmap:port.
	Unsupported bool
}

// Error is one line.
func (e *Error) Error() string {
	text := fmt.Sprintf("ipset: %s: %v", e.Op, e.Err)
	if e.Unsupported {
		text += " (the kernel is missing ip_set: CONFIG_IP_SET, CONFIG_IP_SET_HASH_NET, CONFIG_IP_SET_BITMAP_PORT)"
	}
	return text
}

// Unwrap returns the kernel's error.
func (e *Error) Unwrap() error { return e.Err }
