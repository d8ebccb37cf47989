package nftables

import (
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Rulesets is the way back from [Translate]: the rules of each family in the
// vocabulary of package iptables, divided chains whole again. A rule that is
// not of our making is there as it is, with conditions that nobody can decide
// as [iptables.Opaque].
func (ts Tables) Rulesets() (v4, v6 iptables.Ruleset) {
	return ts.ruleset(iptables.V4), ts.ruleset(iptables.V6)
}

func (ts Tables) ruleset(f iptables.Family) iptables.Ruleset {
	rs := iptables.Ruleset{Family: f}
	for _, t := range ts {
		if t.Only != 0 && t.Only != f {
			continue
		}
		for _, c := range t.Chains {
			t.restore(&rs, c)
		}
	}
	return rs.Sorted()
}

// restore adds a chain if the family has a rule in it or a jump to it.
func (t Table) restore(rs *iptables.Ruleset, c Chain) {
	if isRest(c.Name) {
		return
	}
	table, name := splitName(c.Name)
	out := iptables.Chain{Table: table, Name: name}
	for _, r := range withoutDrops(t.whole(c)) {
		if r.Only == 0 || r.Only == rs.Family {
			out.Rules = append(out.Rules, familyRule(r, rs.Family))
		}
	}
	if len(out.Rules) > 0 || t.jumped(c.Name, rs.Family) {
		rs.Chains = append(rs.Chains, out)
	}
}

func (t Table) jumped(name string, f iptables.Family) bool {
	for _, c := range t.Chains {
		for _, r := range c.Rules {
			if r.JumpChain() == name && (r.Only == 0 || r.Only == f) {
				return true
			}
		}
	}
	return false
}

// whole undoes divide: the rules of a chain and of the chains behind it.
func (t Table) whole(c Chain) []Rule {
	body, ok := t.undivided(c)
	if !ok {
		return c.Rules
	}
	return body
}

func (t Table) undivided(c Chain) ([]Rule, bool) {
	n := len(c.Rules)
	if n < 3 || !isGotoRest(c.Rules[n-1]) || len(c.Rules[n-1].Match) > 0 {
		return nil, false
	}
	rest, found := t.Chain(c.Rules[n-1].JumpChain())
	rule, first, ok := joinOwners(c.Rules[:n-1], rest.Name)
	if !found || !ok {
		return nil, false
	}
	whole := append(slices.Clone(c.Rules[:first]), rule)
	return append(whole, t.whole(rest)...), true
}

func isGotoRest(r Rule) bool {
	j, _ := r.Target.(iptables.JumpTo)
	return j.Goto && isRest(j.Chain)
}

// joinOwners makes the last rule and the gotos before it one rule with inverted
// owner conditions, and says where it begins.
func joinOwners(rules []Rule, rest string) (joined Rule, first int, ok bool) {
	last := len(rules) - 1
	joined, first = rules[last], last
	var owners []iptables.Match
	for first > 0 && rules[first-1].JumpChain() == rest {
		owner, alike := extraOwner(rules[first-1].Match, joined.Match)
		if !alike || rules[first-1].Only != joined.Only {
			return joined, 0, false
		}
		owners = append(owners, iptables.Not(owner))
		first--
	}
	slices.Reverse(owners)
	for _, o := range owners {
		joined.Match = withMatch(joined.Match, o)
	}
	return joined, first, len(owners) > 0
}

// extraOwner is the owner condition that matches has beyond base.
func extraOwner(matches, base []iptables.Match) (iptables.Match, bool) {
	for i, m := range matches {
		if rank(m) == rank(iptables.UIDOwner{}) && iptables.SameMatches(slices.Delete(slices.Clone(matches), i, i+1), base) {
			return m, true
		}
	}
	return nil, false
}

// withoutDrops undoes withDrops.
func withoutDrops(rules []Rule) []Rule {
	var out []Rule
	for i, r := range rules {
		if i > 0 && r.Equal(dropBehind(rules[i-1])) {
			if _, ok := rules[i-1].Target.(iptables.TProxy); ok {
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// familyRule fills in what a rule for both families leaves open.
func familyRule(r Rule, f iptables.Family) iptables.Rule {
	rule := r.Rule
	switch t := rule.Target.(type) {
	case iptables.JumpTo:
		_, t.Chain = splitName(t.Chain)
		rule.Target = t
	case iptables.TProxy:
		if !t.On.IsValid() {
			t.On = unspecified(f)
			rule.Target = t
		}
	}
	return rule
}

func unspecified(f iptables.Family) netip.Addr { return f.Any().Addr() }
