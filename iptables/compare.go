package iptables

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

// compareRules lists what differs between the rules that both ends have in
// common, so that one missing rule is one difference and not one for each rule
// behind it. Numbers are those of what stands; of what is missing, where it
// should stand.
func compareRules(c Chain, have, want []Rule) []Difference {
	head := commonPrefix(have, want)
	tail := commonSuffix(have[head:], want[head:])
	have, want = have[head:len(have)-tail], want[head:len(want)-tail]
	var diffs []Difference
	for i := range max(len(have), len(want)) {
		d := Difference{Table: c.Table, Chain: c.Name, Number: head + i + 1}
		if i < len(have) {
			d.Have = have[i].String()
		}
		if i < len(want) {
			d.Want = want[i].String()
		}
		if d.Have != d.Want {
			diffs = append(diffs, d)
		}
	}
	return diffs
}

func commonSuffix(a, b []Rule) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n].Equal(b[len(b)-1-n]) {
		n++
	}
	return n
}
