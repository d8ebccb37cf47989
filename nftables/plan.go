package nftables

import (
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// verb is one kind of change.
type verb string

const (
	makeTable   verb = "add table"
	deleteTable verb = "delete table"
	makeChain   verb = "add chain"
	deleteChain verb = "delete chain"
	flushChain  verb = "flush chain"
	addRule     verb = "add rule"
)

// step is one change to one object.
type step struct {
	verb  verb
	table Table // of which only the family counts
	chain Chain // of which only name and hook count
	rule  Rule
}

// Plan is a list of changes that the kernel makes at once or not at all.
type Plan struct{ steps []step }

// Empty says whether there is nothing to change.
func (p Plan) Empty() bool { return len(p.steps) == 0 }

// Len counts the changes.
func (p Plan) Len() int { return len(p.steps) }

// String is the plan as commands of nft, one a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p.steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

// String is the step as a command of nft.
func (s step) String() string {
	text := string(s.verb) + " " + s.table.Family() + " " + Name
	if s.chain.Name != "" {
		text += " " + s.chain.Name
	}
	switch {
	case s.verb == addRule:
		text += " " + s.rule.String()
	case s.verb == makeChain && s.chain.Hook != Hook{}:
		text += " { " + s.chain.Hook.String() + " }"
	}
	return text
}

// Changes says how what is there becomes what is wanted. A chain that differs
// in any rule or in their order is emptied and filled again; what is the same is
// not touched, since every deletion makes somebody wait for the kernel's grace
// period. Wanting nothing deletes every table of ours.
func Changes(have, want Tables) Plan {
	var p Plan
	for _, only := range []iptables.Family{0, iptables.V4, iptables.V6} {
		h, exists := have.table(only)
		w, wanted := want.table(only)
		if exists && (!wanted || h.Dormant || !sameHooks(h, w)) {
			p.add(deleteTable, h, Chain{})
			h, exists = Table{}, false
		}
		if wanted {
			p.change(h, w, exists)
		}
	}
	return p
}

func (p *Plan) add(v verb, t Table, c Chain) {
	p.steps = append(p.steps, step{verb: v, table: Table{Only: t.Only}, chain: Chain{Name: c.Name, Hook: c.Hook}})
}

// sameHooks says whether the chains that are both there and wanted are called
// from the same place. The kernel does not let a chain move.
func sameHooks(have, want Table) bool {
	for _, w := range want.Chains {
		if h, ok := have.Chain(w.Name); ok && h.Hook != w.Hook {
			return false
		}
	}
	return true
}

// change turns one table into another: first everything that differs is
// emptied, so that no chain is jumped to when it goes; then what is missing is
// made; then rules are added.
func (p *Plan) change(have, want Table, exists bool) {
	if !exists {
		p.add(makeTable, want, Chain{})
	}
	fill := p.flush(have, want)
	for _, c := range have.Chains {
		if _, wanted := want.Chain(c.Name); !wanted {
			p.add(deleteChain, have, c)
		}
	}
	for _, c := range want.Chains {
		if _, there := have.Chain(c.Name); !there {
			p.add(makeChain, want, c)
			fill = append(fill, c)
		}
	}
	for _, c := range fill {
		for _, r := range c.Rules {
			p.steps = append(p.steps, step{addRule, Table{Only: want.Only}, Chain{Name: c.Name}, r})
		}
	}
}

// flush empties the chains that differ and returns those that are to be filled
// again. An unwanted one is wanted without rules.
func (p *Plan) flush(have, want Table) []Chain {
	var fill []Chain
	for _, h := range have.Chains {
		w, _ := want.Chain(h.Name)
		if slices.EqualFunc(h.Rules, w.Rules, serves) {
			continue
		}
		if len(h.Rules) > 0 {
			p.add(flushChain, have, Chain{Name: h.Name})
		}
		fill = append(fill, w)
	}
	return fill
}

// serves says whether a rule is the wanted one. One that counts serves also
// where counting was not asked for.
func serves(have, want Rule) bool { return have.Equal(want) && (have.Counted || !want.Counted) }

// Compare lists every difference between what is there and what is wanted,
// order included. Empty: the same.
func Compare(have, want Tables) []iptables.Difference {
	var diffs []iptables.Difference
	for _, only := range []iptables.Family{0, iptables.V4, iptables.V6} {
		h, exists := have.table(only)
		w, wanted := want.table(only)
		switch {
		case exists && !wanted:
			diffs = append(diffs, iptables.Difference{Table: tableLabel(h), Have: "table"})
		case wanted && !exists:
			diffs = append(diffs, iptables.Difference{Table: tableLabel(w), Want: "table"})
		default:
			diffs = append(diffs, compareTables(h, w)...)
		}
	}
	return diffs
}

func tableLabel(t Table) iptables.Table { return iptables.Table(t.Family() + " " + Name) }

func compareTables(have, want Table) []iptables.Difference {
	label := tableLabel(want)
	var diffs []iptables.Difference
	if have.Dormant {
		diffs = append(diffs, iptables.Difference{Table: label, Have: "switched off (flags dormant)", Want: "in force"})
	}
	for _, w := range want.Chains {
		h, ok := have.Chain(w.Name)
		if !ok {
			diffs = append(diffs, iptables.Difference{Table: label, Chain: w.Name, Want: "chain"})
			continue
		}
		diffs = append(diffs, compareChains(label, h, w)...)
	}
	for _, h := range have.Chains {
		if _, ok := want.Chain(h.Name); !ok {
			diffs = append(diffs, iptables.Difference{Table: label, Chain: h.Name, Have: "chain"})
		}
	}
	return diffs
}

func compareChains(label iptables.Table, have, want Chain) []iptables.Difference {
	var diffs []iptables.Difference
	if have.Hook != want.Hook {
		diffs = append(diffs, iptables.Difference{Table: label, Chain: want.Name, Have: hookText(have.Hook), Want: hookText(want.Hook)})
	}
	return append(diffs, iptables.Differences(label, want.Name, have.Rules, want.Rules, serves)...)
}

func hookText(h Hook) string {
	if h == (Hook{}) {
		return "no base chain"
	}
	return h.String()
}
