package iptables

import (
	"errors"
	"slices"
)

// Chain is a named list of rules in a table.
type Chain struct {
	Table Table
	Name  string
	// Policy decides at the end of a built-in chain; "" for a user-defined one.
	Policy Verdict
	Rules  []Rule
	Count  Counters // of the policy
}

// Ruleset is the chains of one family. The zero value of Chains is a namespace
// without rules, and wanting it is how everything of ours is removed.
type Ruleset struct {
	Family Family
	Chains []Chain
}

// Chain returns a chain, and whether it is there.
func (rs Ruleset) Chain(t Table, name string) (Chain, bool) {
	for _, c := range rs.Chains {
		if c.Table == t && c.Name == name {
			return c, true
		}
	}
	return Chain{}, false
}

// Append adds rules at the end of a chain, which is made if need be.
func (rs *Ruleset) Append(t Table, chain string, rules ...Rule) {
	if len(rules) == 0 {
		return
	}
	for i := range rs.Chains {
		if c := &rs.Chains[i]; c.Table == t && c.Name == chain {
			c.Rules = append(c.Rules, rules...)
			return
		}
	}
	rs.Chains = append(rs.Chains, Chain{Table: t, Name: chain, Rules: slices.Clone(rules)})
}

// Sorted returns the rule set with its chains in output order: tables in hook
// order, in each the built-in chains, then ours, then others as they came.
func (rs Ruleset) Sorted() Ruleset {
	chains := slices.Clone(rs.Chains)
	slices.SortStableFunc(chains, func(a, b Chain) int {
		if d := slices.Index(Tables(), a.Table) - slices.Index(Tables(), b.Table); d != 0 {
			return d
		}
		return chainRank(a.Table, a.Name) - chainRank(b.Table, b.Name)
	})
	rs.Chains = chains
	return rs
}

func chainRank(t Table, name string) int {
	builtin, own := t.Builtins(), OwnChains(t)
	if i := slices.Index(builtin, name); i >= 0 {
		return i
	}
	if i := slices.Index(own, name); i >= 0 {
		return len(builtin) + i
	}
	return len(builtin) + len(own)
}

// IsBuiltin says whether a chain is one of the kernel's.
func (c Chain) IsBuiltin() bool { return slices.Contains(c.Table.Builtins(), c.Name) }

// Validate reports every rule that cannot be rendered and every jump within
// the rule set to a chain of ours that it does not hold.
func (rs Ruleset) Validate() error {
	var errs []error
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			errs = append(errs, r.Validate())
			if to := r.JumpChain(); Own(c.Table, to) {
				if _, ok := rs.Chain(c.Table, to); !ok {
					errs = append(errs, errors.New(c.Name+" jumps to the missing chain "+to))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// Own reduces a rule set to what is ours: our chains, and of all other chains
// the jumps into ours. With nothing of ours it has no chains.
func (rs Ruleset) Own() Ruleset {
	own := Ruleset{Family: rs.Family}
	for _, c := range rs.Chains {
		if Own(c.Table, c.Name) {
			own.Chains = append(own.Chains, c)
			continue
		}
		own.Append(c.Table, c.Name, rs.ownRules(c)...)
	}
	return own.Sorted()
}

// ownRules picks what is ours out of a chain that is not.
func (rs Ruleset) ownRules(c Chain) []Rule {
	takeover := rs.hasOwnChain(c.Table)
	var own []Rule
	for _, r := range c.Rules {
		if Own(c.Table, r.JumpChain()) || takeover && legacyForm(c, r) {
			own = append(own, r)
		}
	}
	return own
}

func (rs Ruleset) hasOwnChain(t Table) bool {
	for _, c := range rs.Chains {
		if c.Table == t && Own(t, c.Name) {
			return true
		}
	}
	return false
}

// Empty says whether the rule set holds no chain at all.
func (rs Ruleset) Empty() bool { return len(rs.Chains) == 0 }
