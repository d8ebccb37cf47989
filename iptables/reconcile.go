package iptables

import "slices"

// Script is what iptables-restore --noflush shall do in one family: nothing,
// or for some tables a list of lines that it commits together.
type Script struct {
	Family Family
	Tables []TableScript
}

// TableScript is the commit of one table.
type TableScript struct {
	Table Table
	// Declare empties or creates own chains: ":NAME - [0:0]".
	Declare []string
	// Delete, Append and Destroy are whole lines, carried out in that order.
	Delete, Append, Destroy []string
}

// Empty says whether there is nothing to do.
func (s Script) Empty() bool { return len(s.Tables) == 0 }

// Reconcile says how what is there becomes what is wanted, changing only what
// is ours and only where it differs: an own chain that differs in any rule or
// in their order is emptied and filled again in one commit, jumps into it stay;
// jumps that are missing, superfluous, doubled or out of order are mended; own
// chains that are not wanted go. Wanting a rule set without chains removes
// everything. have may be a whole dump; foreign rules in it are left alone.
func Reconcile(have, want Ruleset) Script {
	script := Script{Family: want.Family}
	own := have.Own()
	for _, t := range Tables() {
		d := difference{table: t, have: own, want: want}
		if ts := d.script(); !ts.empty() {
			script.Tables = append(script.Tables, ts)
		}
	}
	slices.SortStableFunc(script.Tables, gainersFirst)
	return script
}

// gainersFirst puts tables that lose a jump or chain behind those that only
// gain: between two commits interception that moves from one table to another
// is in both, not in neither.
func gainersFirst(a, b TableScript) int { return a.losing() - b.losing() }

func (t TableScript) losing() int { return min(1, len(t.Delete)+len(t.Destroy)) }

func (t TableScript) empty() bool {
	return len(t.Declare)+len(t.Delete)+len(t.Append)+len(t.Destroy) == 0
}

// difference compares one table.
type difference struct {
	table      Table
	have, want Ruleset
}

func (d difference) script() TableScript {
	s := TableScript{Table: d.table}
	for _, name := range OwnChains(d.table) {
		d.ownChain(&s, name)
	}
	var missing []string
	for _, name := range d.foreignChains() {
		surplus, absent := d.jumps(name)
		s.Delete = append(s.Delete, surplus...)
		missing = append(missing, absent...)
	}
	s.Append = append(missing, s.Append...)
	return s
}

// ownChain compares one of our chains, rules and order.
func (d difference) ownChain(s *TableScript, name string) {
	have, exists := d.have.Chain(d.table, name)
	want, wanted := d.want.Chain(d.table, name)
	switch {
	case !exists && !wanted, exists && wanted && sameRules(have.Rules, want.Rules):
		return
	case !wanted:
		s.Destroy = append(s.Destroy, "-X "+name)
	}
	s.Declare = append(s.Declare, ":"+name+" - [0:0]")
	for _, r := range want.Rules {
		s.Append = append(s.Append, "-A "+name+" "+r.spelled())
	}
}

// foreignChains are the chains that hold, or shall hold, jumps into ours.
func (d difference) foreignChains() []string {
	names := slices.Clone(d.table.Builtins())
	for _, c := range d.have.Chains {
		if c.Table == d.table && !Own(d.table, c.Name) && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// jumps compares what is ours in a chain that is not: surplus is deleted,
// absent is appended. What is right up to the first difference stays.
func (d difference) jumps(chain string) (surplus, absent []string) {
	have, _ := d.have.Chain(d.table, chain)
	want, _ := d.want.Chain(d.table, chain)
	keep := commonPrefix(have.Rules, want.Rules)
	if repeats(have.Rules, keep) {
		keep = 0 // -D takes the first equal rule, so a kept one would go instead
	}
	for _, r := range have.Rules[keep:] {
		surplus = append(surplus, "-D "+chain+" "+r.spelled())
	}
	for _, r := range want.Rules[keep:] {
		absent = append(absent, "-A "+chain+" "+r.spelled())
	}
	return surplus, absent
}

// spelled is the text by which the kernel's tools find a rule again, or, when an
// apply is undone, make it again: as they printed it.
func (r Rule) spelled() string {
	if r.Raw != "" {
		return r.Raw
	}
	return r.String()
}

func commonPrefix(a, b []Rule) int {
	n := 0
	for n < len(a) && n < len(b) && a[n].Equal(b[n]) {
		n++
	}
	return n
}

// repeats says whether a rule behind keep equals one before it, unless the
// surplus is nothing but such repetitions of a single kept rule.
func repeats(rules []Rule, keep int) bool {
	for _, r := range rules[keep:] {
		for _, kept := range rules[:keep] {
			if r.Equal(kept) && keep > 1 {
				return true
			}
		}
	}
	return false
}

func sameRules(a, b []Rule) bool { return slices.EqualFunc(a, b, Rule.Equal) }
