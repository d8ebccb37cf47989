package nftables

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// simpleRule is a rule that counts or not and matches a port, if not zero.
func simpleRule(port iptables.Port, target iptables.Target) Rule {
	r := iptables.Rule{Target: target}
	if port > 0 {
		r.Match = []iptables.Match{iptables.TCP(), iptables.ToPort(iptables.OnePort(port))}
	}
	return Rule{Rule: r}
}

func outputHook(priority int32) Hook {
	return Hook{Type: "nat", Name: "output", Number: 3, Priority: priority}
}

// randomTables are some of the three tables, each with some of four chains; a
// chain jumps to later ones only.
func randomTables(r *rand.Rand) Tables {
	var ts Tables
	names := []string{"nat-OUTPUT", "nat-A", "nat-B", "nat-C"}
	for _, only := range []iptables.Family{0, iptables.V4, iptables.V6} {
		if r.IntN(3) == 0 {
			continue
		}
		t := Table{Only: only}
		for _, name := range names {
			if r.IntN(3) > 0 {
				t.Chains = append(t.Chains, Chain{Name: name})
			}
		}
		for i := range t.Chains {
			c := &t.Chains[i]
			if c.Name == names[0] {
				c.Hook = outputHook(int32(-100 - r.IntN(5)/4))
			}
			for range r.IntN(3) {
				target := iptables.Target(pick(r, iptables.VerdictReturn, iptables.VerdictDrop))
				if later := t.Chains[i+1:]; len(later) > 0 && r.IntN(2) == 0 {
					target = iptables.Jump(pick(r, later...).Name)
				}
				rule := simpleRule(iptables.Port(r.IntN(2)), target)
				rule.Counted = r.IntN(2) == 0
				c.Rules = append(c.Rules, rule)
			}
		}
		ts = append(ts, t)
	}
	return ts
}

// carryOut does to tables what the kernel does, and refuses what it refuses; it
// refuses what is done for nothing too.
func carryOut(ts Tables, p Plan) (Tables, error) {
	for _, s := range p.steps {
		i := slices.IndexFunc(ts, func(t Table) bool { return t.Only == s.table.Only })
		if (i >= 0) == (s.verb == makeTable) {
			return nil, fmt.Errorf("%s: the table is there: %v", s, i >= 0)
		}
		switch s.verb {
		case makeTable:
			ts = append(slices.Clone(ts), Table{Only: s.table.Only})
			continue
		case deleteTable:
			ts = slices.Delete(slices.Clone(ts), i, i+1)
			continue
		}
		chains, err := carryOutChain(ts[i].Chains, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		ts = slices.Clone(ts)
		ts[i].Chains = chains
	}
	return ts, nil
}

func carryOutChain(chains []Chain, s step) ([]Chain, error) {
	chains = slices.Clone(chains)
	i := slices.IndexFunc(chains, func(c Chain) bool { return c.Name == s.chain.Name })
	if (i >= 0) == (s.verb == makeChain) {
		return nil, fmt.Errorf("the chain is there: %v", i >= 0)
	}
	isThere := func(name string) bool {
		return slices.ContainsFunc(chains, func(c Chain) bool { return c.Name == name })
	}
	switch s.verb {
	case makeChain:
		return append(chains, Chain{Name: s.chain.Name, Hook: s.chain.Hook}), nil
	case deleteChain:
		for _, c := range chains {
			if slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.JumpChain() == s.chain.Name }) || len(chains[i].Rules) > 0 {
				return nil, fmt.Errorf("the chain is in use")
			}
		}
		return slices.Delete(chains, i, i+1), nil
	case flushChain:
		if len(chains[i].Rules) == 0 {
			return nil, fmt.Errorf("the chain is empty")
		}
		chains[i].Rules = nil
		return chains, nil
	case addRule:
		if to := s.rule.JumpChain(); to != "" && !isThere(to) {
			return nil, fmt.Errorf("no chain %s", to)
		}
		chains[i].Rules = append(slices.Clone(chains[i].Rules), s.rule)
		return chains, nil
	}
	return nil, fmt.Errorf("no such verb")
}

// contents are tables as text, chains by name; a counter that is not wanted is left out.
func contents(ts, wanted Tables) string {
	var lines []string
	for _, t := range ts {
		lines = append(lines, "table "+t.Family())
		w, _ := wanted.table(t.Only)
		for _, c := range t.Chains {
			of := t.Family() + " " + c.Name
			lines = append(lines, fmt.Sprintf("%s %+v", of, c.Hook))
			wc, _ := w.Chain(c.Name)
			for i, r := range c.Rules {
				r.Counted = r.Counted && i < len(wc.Rules) && wc.Rules[i].Counted
				lines = append(lines, fmt.Sprintf("%s %d %s", of, i, r))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestTablesBecomeAnyOtherByOnePlan(t *testing.T) {
	r := random(t)
	for range 20 * *rounds {
		have, want := randomTables(r), randomTables(r)
		if r.IntN(4) == 0 && len(have) > 0 {
			have[0].Dormant = true
		}
		plan := Changes(have, want)
		got, err := carryOut(have, plan)
		if err != nil {
			t.Fatalf("%v\nhave\n%s\nwant\n%s\nplan\n%s", err, have, want, plan)
		}
		if contents(got, want) != contents(want, want) {
			t.Fatalf("got\n%s\nwant\n%s\nplan\n%s", got, want, plan)
		}
		if again := Changes(got, want); !again.Empty() || again.Len() != 0 {
			t.Fatalf("a second plan changes\n%s", again)
		}
		if diffs := Compare(got, want); len(diffs) > 0 {
			t.Fatalf("Compare sees %v\nin\n%s\nwant\n%s", diffs, got, want)
		}
		if diffs := Compare(have, want); (len(diffs) == 0) != plan.Empty() {
			t.Fatalf("Compare sees %v, the plan is\n%s", diffs, plan)
		}
	}
}

// What stands is a table for both families with a hook and two chains.
func standing() Table {
	return Table{Chains: []Chain{
		{Name: "nat-OUTPUT", Hook: outputHook(-100), Rules: []Rule{simpleRule(0, iptables.Jump("nat-A"))}},
		{Name: "nat-A", Rules: []Rule{simpleRule(1, iptables.Return()), simpleRule(2, iptables.Return())}},
		{Name: "nat-B", Rules: []Rule{simpleRule(3, iptables.Drop())}},
	}}
}

// What is wanted instead of standing; what it takes, and how it is told.
func TestTablesThatDifferAreChangedWhereTheyDiffer(t *testing.T) {
	edited := func(edit func(t *Table)) Table {
		table := standing()
		edit(&table)
		return table
	}
	counted := func(t *Table) { t.Chains[2].Rules[0].Counted = true }
	for _, c := range []struct {
		name       string
		have, want Tables
		plan, told string
	}{
		{"nothing", Tables{standing()}, Tables{standing()}, "", ""},
		{"a counter is there", Tables{edited(counted)}, Tables{standing()}, "", ""},
		{
			"a counter is wanted", Tables{standing()}, Tables{edited(counted)},
			"flush chain inet sluice nat-B\nadd rule inet sluice nat-B tcp dport 3 counter drop\n",
			"inet sluice nat-B rule 1: is tcp dport 3 drop, should be tcp dport 3 counter drop\n",
		},
		{
			"a chain less", Tables{standing()}, Tables{edited(func(t *Table) { t.Chains = t.Chains[:2] })},
			"flush chain inet sluice nat-B\ndelete chain inet sluice nat-B\n", "inet sluice nat-B: unwanted chain\n",
		},
		{
			"a chain more", Tables{edited(func(t *Table) { t.Chains = t.Chains[:2] })}, Tables{standing()},
			"add chain inet sluice nat-B\nadd rule inet sluice nat-B tcp dport 3 drop\n", "inet sluice nat-B: missing chain\n",
		},
		{
			"a rule too many in front of all", Tables{edited(func(t *Table) { t.Chains[1].Rules = append(t.Chains[1].Rules[1:], t.Chains[1].Rules...) })}, Tables{standing()},
			"flush chain inet sluice nat-A\nadd rule inet sluice nat-A tcp dport 1 return\nadd rule inet sluice nat-A tcp dport 2 return\n",
			"inet sluice nat-A rule 1: unwanted tcp dport 2 return\n",
		},
		{
			"a rule of one family", Tables{edited(func(t *Table) { t.Chains[2].Rules[0].Only = iptables.V6 })}, Tables{standing()},
			"flush chain inet sluice nat-B\nadd rule inet sluice nat-B tcp dport 3 drop\n",
			"inet sluice nat-B rule 1: is meta nfproto ipv6 tcp dport 3 drop, should be tcp dport 3 drop\n",
		},
		{
			"a base chain less", Tables{standing()}, Tables{edited(func(t *Table) { t.Chains = t.Chains[1:] })},
			"flush chain inet sluice nat-OUTPUT\ndelete chain inet sluice nat-OUTPUT\n", "inet sluice nat-OUTPUT: unwanted chain\n",
		},
		{
			"a base chain more", Tables{edited(func(t *Table) { t.Chains = t.Chains[1:] })}, Tables{standing()},
			"add chain inet sluice nat-OUTPUT { type nat hook output priority -100; policy accept; }\nadd rule inet sluice nat-OUTPUT jump nat-A\n",
			"inet sluice nat-OUTPUT: missing chain\n",
		},
		{
			"an empty chain less", Tables{{Chains: []Chain{{Name: "nat-A"}}}}, Tables{{}},
			"delete chain inet sluice nat-A\n", "inet sluice nat-A: unwanted chain\n",
		},
		{
			"an emptied chain", Tables{edited(func(t *Table) { t.Chains[2].Rules = nil })}, Tables{standing()},
			"add rule inet sluice nat-B tcp dport 3 drop\n", "inet sluice nat-B rule 1: missing tcp dport 3 drop\n",
		},
		{
			"another priority", Tables{edited(func(t *Table) { t.Chains = t.Chains[:1]; t.Chains[0].Rules = nil; t.Chains[0].Hook = outputHook(0) })},
			Tables{edited(func(t *Table) { t.Chains = t.Chains[:1]; t.Chains[0].Rules = nil })},
			"delete table inet sluice\nadd table inet sluice\nadd chain inet sluice nat-OUTPUT { type nat hook output priority -100; policy accept; }\n",
			"inet sluice nat-OUTPUT: is type nat hook output priority 0; policy accept;, should be type nat hook output priority -100; policy accept;\n",
		},
		{
			"no hook", Tables{{Chains: []Chain{{Name: "nat-OUTPUT"}}}}, Tables{{Chains: []Chain{{Name: "nat-OUTPUT", Hook: outputHook(-100)}}}},
			"delete table inet sluice\nadd table inet sluice\nadd chain inet sluice nat-OUTPUT { type nat hook output priority -100; policy accept; }\n",
			"inet sluice nat-OUTPUT: is no base chain, should be type nat hook output priority -100; policy accept;\n",
		},
		{
			"switched off", Tables{{Dormant: true}}, Tables{{}},
			"delete table inet sluice\nadd table inet sluice\n", "inet sluice: is switched off (flags dormant), should be in force\n",
		},
		{
			"another layout", Tables{{}}, Tables{{Only: iptables.V4}, {Only: iptables.V6, Chains: []Chain{{Name: "x", Rules: []Rule{simpleRule(0, iptables.Drop())}}}}},
			"delete table inet sluice\nadd table ip sluice\nadd table ip6 sluice\nadd chain ip6 sluice x\nadd rule ip6 sluice x drop\n",
			"inet sluice: unwanted table\nip sluice: missing table\nip6 sluice: missing table\n",
		},
		{
			"nothing wanted", Tables{{Only: iptables.V4}, {Only: iptables.V6}}, nil,
			"delete table ip sluice\ndelete table ip6 sluice\n", "ip sluice: unwanted table\nip6 sluice: unwanted table\n",
		},
	} {
		plan := Changes(c.have, c.want)
		if got := plan.String(); got != c.plan || plan.Len() != strings.Count(c.plan, "\n") || plan.Empty() != (c.plan == "") {
			t.Errorf("%s: plan of %d\n%swant\n%s", c.name, plan.Len(), got, c.plan)
		}
		told := ""
		for _, d := range Compare(c.have, c.want) {
			told += d.String() + "\n"
		}
		if told != c.told {
			t.Errorf("%s: told\n%swant\n%s", c.name, told, c.told)
		}
	}
}

func TestTablesWithCountersAreCountedAndTheOriginalsAreNot(t *testing.T) {
	ts := Tables{standing(), {Only: iptables.V4, Chains: standing().Chains[1:]}}
	counted := ts.Counted()
	if got, want := counted.String(), ts.String(); strings.ReplaceAll(got, "counter ", "") != want || strings.Count(got, "counter ") != 7 {
		t.Errorf("got\n%s\nwant seven counters in\n%s", got, want)
	}
	if ts.Count() != 7 || strings.Contains(ts.String(), "counter") {
		t.Errorf("%d rules, want 7 without a counter:\n%s", ts.Count(), ts)
	}
}
