package ipset

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Set is a kernel set of type hash:net.
type Set struct {
	Name     string
	Family   iptables.Family
	Elements []netip.Prefix // aggregated, ascending
}

// For lists the sets that the rules of some families need, by name.
func For(rules ...iptables.Ruleset) []Set {
	var sets []Set
	for _, rs := range rules {
		for _, s := range rs.Sets() {
			sets = append(sets, Set{s.Name, rs.Family, s.Elements})
		}
	}
	return sets
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
		asked, ok := m.(iptables.InSet)
		at := slices.IndexFunc(sets, func(s Set) bool { return ok && s.Name == asked.Name })
		if at >= 0 {
			asked.Elements = sets[at].Elements
			matches[i] = asked
		}
	}
	return matches
}

// Ours says whether a set of this name is one of ours.
func Ours(name string) bool { return strings.HasPrefix(name, iptables.SetPrefix) }

// equal compares contents, the kernel's being in no order.
func (s Set) equal(other Set) bool {
	return s.Family == other.Family && slices.Equal(iptables.Aggregate(s.Elements), iptables.Aggregate(other.Elements))
}

// Error is the kernel's refusal.
type Error struct {
	Op  string // "create the set sluice-4-…"
	Err error
	// Unsupported: the kernel has no ip_set or no hash:net.
	Unsupported bool
}

// Error is one line.
func (e *Error) Error() string {
	text := fmt.Sprintf("ipset: %s: %v", e.Op, e.Err)
	if e.Unsupported {
		text += " (the kernel is missing ip_set: CONFIG_IP_SET, CONFIG_IP_SET_HASH_NET)"
	}
	return text
}

// Unwrap returns the kernel's error.
func (e *Error) Unwrap() error { return e.Err }
