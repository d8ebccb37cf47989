package nftables

import (
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Name is the name of every table of this package.
const Name = "sluice"

// Layout says how many tables hold the rules.
type Layout uint8

// The layouts.
const (
	// Inet is one table for both families. It needs Linux 5.2 (nat in inet).
	Inet Layout = iota
	// Split is a table for each family.
	Split
)

// Tables is everything of ours in a namespace, the inet table first, then IPv4.
// None: nothing is ours.
type Tables []Table

// Table is one nf_tables table named [Name].
type Table struct {
	// Only is the family of an ip or ip6 table; zero for inet.
	Only   iptables.Family
	Chains []Chain
	// Dormant: somebody switched the table off.
	Dormant bool
}

// Chain is a list of rules. With a Hook it is a base chain: the kernel calls it.
type Chain struct {
	Name  string
	Hook  Hook
	Rules []Rule
}

// Hook says where and as what a base chain is called. The zero value is none.
type Hook struct {
	Type     string // filter, nat or route
	Name     string // prerouting, input, forward, output or postrouting
	Number   uint32 // of the hook: NF_INET_… of include/uapi/linux/netfilter.h
	Priority int32  // lower is earlier
	// Drop: what no rule decides is dropped. No chain of ours does.
	Drop bool
}

// Rule is a rule of package iptables in the form that [Translate] gives it, for
// both families unless Only names one. Its conditions stand in one order, a set
// of ports is a MultiPort of any length, a set of addresses an InSet without a name.
type Rule struct {
	Only iptables.Family
	iptables.Rule
	// Counted says that the rule counts packets and bytes.
	Counted bool
}

// Family is the family word of the table: "inet", "ip" or "ip6".
func (t Table) Family() string { return familyWord(t.Only, "inet") }

func familyWord(f iptables.Family, both string) string {
	switch f {
	case iptables.V4:
		return "ip"
	case iptables.V6:
		return "ip6"
	}
	return both
}

// Chain returns a chain, and whether it is there.
func (t Table) Chain(name string) (Chain, bool) {
	i := slices.IndexFunc(t.Chains, func(c Chain) bool { return c.Name == name })
	if i < 0 {
		return Chain{}, false
	}
	return t.Chains[i], true
}

// table returns the table of a family, and whether it is there.
func (ts Tables) table(only iptables.Family) (Table, bool) {
	i := slices.IndexFunc(ts, func(t Table) bool { return t.Only == only })
	if i < 0 {
		return Table{}, false
	}
	return ts[i], true
}

// Count is the number of rules.
func (ts Tables) Count() int {
	n := 0
	for _, t := range ts {
		for _, c := range t.Chains {
			n += len(c.Rules)
		}
	}
	return n
}

// Counted returns the tables with a counter in every rule.
func (ts Tables) Counted() Tables {
	counted := make(Tables, len(ts))
	for i, t := range ts {
		counted[i] = Table{Only: t.Only, Chains: slices.Clone(t.Chains)}
		for j, c := range counted[i].Chains {
			rules := slices.Clone(c.Rules)
			for k := range rules {
				rules[k].Counted = true
			}
			counted[i].Chains[j].Rules = rules
		}
	}
	return counted
}

// Equal says whether two rules do the same for the same packets of the same
// families. Counters are no part of it.
func (r Rule) Equal(other Rule) bool { return r.Only == other.Only && r.Same(other.Rule) }
