package iptables

import (
	"fmt"

	"github.com/sluicemesh/sluice/internal/align"
)

// Difference is one place where a namespace is not what it should be.
type Difference struct {
	Table  Table
	Chain  string // empty for the table itself
	Number int    // of the rule, from 1; 0 for the chain itself
	Have   string
	Want   string
}

// String begins with the place: "nat ISTIO_OUTPUT rule 3: is …, should be …".
func (d Difference) String() string {
	place := string(d.Table)
	if d.Chain != "" {
		place += " " + d.Chain
	}
	if d.Number > 0 {
		place += " rule " + itoa(d.Number)
	}
	switch {
	case d.Have == "":
		return place + ": missing " + d.Want
	case d.Want == "":
		return place + ": unwanted " + d.Have
	}
	return place + ": is " + d.Have + ", should be " + d.Want
}

// Compare lists every difference between what is ours in a dump and what is
// wanted, chain by chain, order included. Empty: the same.
func Compare(have, want Ruleset) []Difference {
	own, want := have.Own(), want.Sorted()
	var diffs []Difference
	for _, c := range want.Chains {
		h, ok := own.Chain(c.Table, c.Name)
		if !ok && Own(c.Table, c.Name) {
			diffs = append(diffs, Difference{Table: c.Table, Chain: c.Name, Want: "chain"})
			continue
		}
		diffs = append(diffs, compareRules(c, h.Rules, c.Rules)...)
	}
	for _, c := range own.Chains {
		if _, ok := want.Chain(c.Table, c.Name); ok {
			continue
		}
		if Own(c.Table, c.Name) {
			diffs = append(diffs, Difference{Table: c.Table, Chain: c.Name, Have: "chain"})
			continue
		}
		diffs = append(diffs, compareRules(c, c.Rules, nil)...)
	}
	return diffs
}

func compareRules(c Chain, have, want []Rule) []Difference {
	return Differences(c.Table, c.Name, have, want, Rule.Equal)
}

// Differences lists what differs between the rules that a chain has and those
// it should have. What both have in the same order counts as right, so that one
// missing rule is one difference and not one for each rule behind it. Numbers
// are those of what stands; of what is missing, where it should stand.
func Differences[R fmt.Stringer](t Table, chain string, have, want []R, right func(have, want R) bool) []Difference {
	var diffs []Difference
	var extra, missing []int
	settle := func() {
		for i := range max(len(extra), len(missing)) {
			d := Difference{Table: t, Chain: chain}
			if i < len(missing) {
				d.Number, d.Want = missing[i]+1, want[missing[i]].String()
			}
			if i < len(extra) {
				d.Number, d.Have = extra[i]+1, have[extra[i]].String()
			}
			diffs = append(diffs, d)
		}
		extra, missing = extra[:0], missing[:0]
	}
	for _, p := range align.Lists(len(have), len(want), func(i, j int) bool { return right(have[i], want[j]) }) {
		switch {
		case p.Same():
			settle()
		case p.B == align.None:
			extra = append(extra, p.A)
		default:
			missing = append(missing, p.B)
		}
	}
	settle()
	return diffs
}
