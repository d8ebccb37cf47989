package iptables

import (
	"fmt"
	"strings"
	"testing"
)

// chainNames lists the chains of a rule set as they stand, with their rules' texts.
func chainNames(rs Ruleset) string {
	var texts []string
	for _, c := range rs.Chains {
		text := string(c.Table) + " " + c.Name
		for _, r := range c.Rules {
			text += " [" + r.String() + "]"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestTablesComeInTheOrderOfTheHooks(t *testing.T) {
	if got, want := fmt.Sprint(Tables()), "[raw mangle nat filter security]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestChainsAreSortedByTableThenBuiltinOursOthers(t *testing.T) {
	var rs Ruleset
	rs.Chains = append(rs.Chains, Chain{Table: Nat, Name: "ZZ"}, Chain{Table: Nat, Name: "AA"}, Chain{Table: "other", Name: "OUTPUT"})
	for _, table := range []Table{Security, Filter, Nat, Mangle, Raw} {
		for _, names := range [][]string{OwnChains(table), table.Builtins()} {
			for i := range names {
				rs.Chains = append(rs.Chains, Chain{Table: table, Name: names[len(names)-1-i]})
			}
		}
	}
	before := chainNames(rs)
	want := strings.Join([]string{
		"other OUTPUT",
		"raw PREROUTING, raw OUTPUT, raw ISTIO_INBOUND, raw ISTIO_OUTPUT_DNS",
		"mangle PREROUTING, mangle INPUT, mangle FORWARD, mangle OUTPUT, mangle POSTROUTING",
		"mangle ISTIO_DROP, mangle ISTIO_INBOUND, mangle ISTIO_DIVERT, mangle ISTIO_TPROXY, mangle ISTIO_OUTPUT",
		"nat PREROUTING, nat INPUT, nat OUTPUT, nat POSTROUTING",
		"nat ISTIO_INBOUND, nat ISTIO_IN_REDIRECT, nat ISTIO_OUTPUT, nat ISTIO_OUTPUT_DNS, nat ISTIO_REDIRECT, nat ZZ, nat AA",
		"filter INPUT, filter FORWARD, filter OUTPUT, security INPUT, security FORWARD, security OUTPUT",
	}, ", ")
	if got := chainNames(rs.Sorted()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if after := chainNames(rs); after != before {
		t.Errorf("sorting a copy changed the original: %s, was %s", after, before)
	}
}

func TestAppendMakesTheChainIfThereAreRules(t *testing.T) {
	rules := []Rule{{Target: Drop()}, {Target: Accept()}}
	var rs Ruleset
	rs.Append(Nat, Output)
	rs.Append(Nat, Output, rules[:1]...)
	rs.Append(Filter, Output, rules[1])
	rs.Append(Nat, Input, rules...)
	rs.Append(Nat, Output, rules[1])
	want := "nat OUTPUT [-j DROP] [-j ACCEPT], filter OUTPUT [-j ACCEPT], nat INPUT [-j DROP] [-j ACCEPT]"
	if got := chainNames(rs); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	rules[0].Target = Return()
	if got := chainNames(rs); got != want {
		t.Errorf("the caller's list is a part of the rule set: %s", got)
	}
}

func TestChainsAreFoundByTableAndName(t *testing.T) {
	rs := Ruleset{Chains: []Chain{{Table: Nat, Name: Output, Policy: VerdictAccept}, {Table: Filter, Name: Output, Policy: VerdictDrop}}}
	if c, ok := rs.Chain(Filter, Output); !ok || c.Policy != VerdictDrop {
		t.Errorf("got %v, %v, want the filter table's", c, ok)
	}
	if c, ok := rs.Chain(Filter, Input); ok {
		t.Errorf("found %v, which is not there", c)
	}
	if rs.Empty() || !(Ruleset{Family: V6}).Empty() {
		t.Error("a rule set is empty if it has no chains")
	}
}

func TestOwnKeepsOurChainsAndTheJumpsIntoThem(t *testing.T) {
	const others = "-A OUTPUT -o eth1 -j RETURN\n-A OUTPUT -j DROP\n-A OTHER -j DROP\n-A OTHER -o eth1 -j RETURN\n"
	for _, c := range []struct{ name, dump, want string }{
		{"nothing of ours", "*nat\n:ISTIO_DROP - [0:0]\n" + others, ""},
		{"a jump alone", "*nat\n" + others + "-A OTHER -g ISTIO_OUTPUT\n", "nat OTHER [-g ISTIO_OUTPUT]"},
		{"a jump in another table", "*filter\n" + others + "-A OUTPUT -j ISTIO_OUTPUT\n", ""},
		{
			"a chain of ours brings along the forms of the mesh, in built-in chains", "*nat\n" + others + ":ISTIO_OUTPUT - [0:0]\n-A ISTIO_OUTPUT -j DROP\n",
			"nat OUTPUT [-o eth1 -j RETURN], nat ISTIO_OUTPUT [-j DROP]",
		},
		{"a chain of ours in another table does not", "*nat\n" + others + "*mangle\n:ISTIO_OUTPUT - [0:0]\n", "mangle ISTIO_OUTPUT"},
	} {
		rs, err := Parse(V6, c.dump)
		if err != nil {
			t.Fatal(err)
		}
		own := rs.Own()
		if got := chainNames(own); got != c.want || own.Family != V6 {
			t.Errorf("%s\n got %v %s\nwant IPv6 %s", c.name, own.Family, got, c.want)
		}
	}
}

func TestJumpsToMissingChainsOfOursAndBadRulesAreAllReported(t *testing.T) {
	rs := Ruleset{Chains: []Chain{
		{Table: Nat, Name: Output, Rules: []Rule{{Target: Jump(ChainOutput)}, {Target: Jump(ChainInbound)}, {Target: Jump("OTHER")}}},
		{Table: Nat, Name: ChainOutput, Rules: []Rule{{Match: []Match{Protocol{}}}}},
		{Table: Raw, Name: ChainInbound},
	}}
	want := "OUTPUT jumps to the missing chain ISTIO_INBOUND\n" + `rule "-p 0": protocol without a number`
	if got := fmt.Sprint(rs.Validate()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	rs.Chains = rs.Chains[2:]
	if err := rs.Validate(); err != nil {
		t.Errorf("an empty chain of ours: %v", err)
	}
}

func TestScriptsAreBlocksOfOneTable(t *testing.T) {
	s := Script{Tables: []TableScript{
		{Raw, []string{":A", ":B"}, []string{"-D"}, []string{"-A", "-A", "-A"}, []string{"-X", "-X", "-X", "-X"}},
		{Table: Nat, Append: []string{"-A"}},
	}}
	raw, nat := "*raw\n:A\n:B\n-D\n-A\n-A\n-A\n-X\n-X\n-X\n-X\nCOMMIT\n", "*nat\n-A\nCOMMIT\n"
	if got := s.String(); got != raw+nat {
		t.Errorf("got\n%s\nwant\n%s", got, raw+nat)
	}
	if got := s.Lines(); got != 11 {
		t.Errorf("%d lines, want 2+1+3+4 and 1", got)
	}
}

func TestRenderedTextMakesTheRuleSetItWasMadeOf(t *testing.T) {
	want := wanted(t).Sorted()
	for i := range want.Chains {
		for j := range want.Chains[i].Rules {
			want.Chains[i].Rules[j].Raw = ""
		}
	}
	got, err := Parse(V4, Render(want))
	if err != nil || chainNames(got.Sorted()) != chainNames(want) {
		t.Errorf("got  %s, %v\nwant %s", chainNames(got.Sorted()), err, chainNames(want))
	}
	if s := Reconcile(Ruleset{}, want); s.Family != V4 {
		t.Errorf("the script is for %v, want %v", s.Family, want.Family)
	}
}
