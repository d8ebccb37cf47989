package iptables

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// met lists the targets of the rules that a packet meets, up to the one that
// ends the chain. What is repeated at once and does the same counts once.
func met(rules []Rule, p Packet) []Target {
	var list []Target
	for _, r := range rules {
		if a, _ := r.Holds(p); a != Yes {
			continue
		}
		last := len(list) - 1
		if last < 0 || !idempotent(r.Target) || r.Target != list[last] {
			list = append(list, r.Target)
		}
		switch t := r.Target.(type) {
		case Verdict, Redirect, TProxy:
			return list
		case JumpTo:
			if t.Goto {
				return list
			}
		}
	}
	return list
}

// idempotent targets leave a packet that they took as it is when they take it again.
func idempotent(t Target) bool {
	switch t := t.(type) {
	case SetMark:
		once := t.Value
		return once&^t.Mask^t.Value == once
	case Zone:
		return true
	}
	return false
}

// randomRules is a chain of rules on few addresses and ports, so that many of
// them have neighbours that differ in little.
func randomRules(r *rand.Rand) []Rule {
	targets := []Target{
		Return(), Accept(), Redirect{80}, Jump("X"), JumpTo{Chain: "X", Goto: true}, TProxy{Port: 1}, Zone{1}, Log{"x"},
		SetMark{Value: 1, Mask: 3}, SetMark{Value: 1}, SaveMark{},
	}
	address := func() []netip.Prefix {
		list := []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(8))}), 29+r.IntN(4)).Masked()}
		if r.IntN(3) == 0 {
			list = append(list, prefix(fmt.Sprintf("192.0.2.%d/32", r.IntN(8))))
		}
		return list
	}
	port := func() []PortRange {
		first := Port(1 + r.IntN(8))
		list := []PortRange{{first, first + Port(r.IntN(2))}}
		if r.IntN(3) == 0 {
			list = append(list, OnePort(Port(1+r.IntN(8))))
		}
		return list
	}
	inverted := func() bool { return r.IntN(5) == 0 }
	side := func() Side { return []Side{SrcSide, DstSide}[r.IntN(2)] }
	conditions := []func() Match{
		func() Match { return AddressMatch(side(), inverted(), address()...) },
		func() Match { return PortMatch(side(), inverted(), port()...) },
		func() Match { return MultiPort{Either, port(), false} },
		func() Match { return InSet{Name: "unknown", Side: side(), Not: inverted()} },
		func() Match {
			list := JoinPorts(port())
			return PortInSet{Name: PortSetName(list), Side: side(), Not: inverted(), Ranges: list}
		},
		func() Match { return In("eth0") },
	}
	var rules []Rule
	for range 1 + r.IntN(4) {
		shape := conditions[r.IntN(len(conditions))]
		model := Rule{Match: []Match{TCP()}, Target: targets[r.IntN(len(targets))], Comment: []string{"", "", "c"}[r.IntN(3)]}
		for range r.IntN(3) {
			model.Match = append(model.Match, conditions[r.IntN(len(conditions))]())
		}
		for range 1 + r.IntN(5) {
			rule := model
			rule.Match = append(slices.Clone(model.Match), shape())
			rules = append(rules, rule)
		}
	}
	return rules
}

// TestJoinedRulesDecideAlike: every packet meets the same targets in the same
// order, and neither the rules nor what they are made of change.
func TestJoinedRulesDecideAlike(t *testing.T) {
	joined := 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(1, seed))
		rules := randomRules(r)
		before := fmt.Sprintf("%#v", rules)
		runs := Runs{Least: r.IntN(4), LeastPorts: r.IntN(4)}
		got := JoinRuns(rules, runs)
		if after := fmt.Sprintf("%#v", rules); after != before {
			t.Fatalf("seed %d: joining changed its input from\n%s\nto\n%s", seed, before, after)
		}
		joined += len(rules) - len(got)
		for range 60 {
			p := Packet{
				Protocol: ProtoTCP, In: []string{"eth0", "eth1"}[r.IntN(2)],
				Src: netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(8))}), Dst: netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(8))}),
				SrcPort: Port(1 + r.IntN(9)), DstPort: Port(1 + r.IntN(9)),
			}
			if a, b := met(got, p), met(rules, p); !slices.Equal(a, b) {
				t.Fatalf("seed %d: %+v meets %v, want %v\njoined\n%s\nfrom\n%s", seed, p, a, b, listed(got), listed(rules))
			}
		}
	}
	if joined < 2000 {
		t.Errorf("only %d rules were joined", joined)
	}
}

func listed(rules []Rule) (text string) {
	for _, r := range rules {
		text += r.String() + "\n"
	}
	return text
}

func to(prefixes ...string) Match { return address(DstSide, prefixes...) }

func address(side Side, prefixes ...string) Match {
	var list []netip.Prefix
	for _, p := range prefixes {
		list = append(list, prefix(p))
	}
	return AddressMatch(side, false, list...)
}

func toPorts(ports ...Port) Match {
	var list []PortRange
	for _, p := range ports {
		list = append(list, OnePort(p))
	}
	return PortMatch(DstSide, false, list...)
}

func ruleOf(target Target, matches ...Match) Rule { return Rule{Match: matches, Target: target} }

func TestRunsAreJoinedAsFarAsTheyGo(t *testing.T) {
	const a, b, c = "192.0.2.1/32", "198.51.100.0/24", "203.0.113.7/32"
	ret, from := Return(), func(p string) Match { return address(SrcSide, p) }
	plain := Runs{}
	for _, x := range []struct {
		name     string
		runs     Runs
		in, want []Rule
	}{
		{"nothing", plain, nil, nil},
		{"one", plain, []Rule{ruleOf(ret, to(a))}, []Rule{ruleOf(ret, to(a))}},
		{"addresses", plain, []Rule{ruleOf(ret, to(a)), ruleOf(ret, to(b)), ruleOf(ret, to(c))}, []Rule{ruleOf(ret, to(a, b, c))}},
		{"sources", plain, []Rule{ruleOf(ret, from(a)), ruleOf(ret, from(b))}, []Rule{ruleOf(ret, address(SrcSide, a, b))}},
		{"a set and more", plain, []Rule{ruleOf(ret, to(a, b)), ruleOf(ret, to(c))}, []Rule{ruleOf(ret, to(a, b, c))}},
		{"ports", plain, []Rule{ruleOf(ret, TCP(), toPorts(1)), ruleOf(ret, TCP(), toPorts(3, 5)), ruleOf(ret, TCP(), toPorts(9))}, []Rule{ruleOf(ret, TCP(), toPorts(1, 3, 5, 9))}},
		{"halves of all addresses are no condition", plain, []Rule{ruleOf(ret, TCP(), to("0.0.0.0/1"), In("x")), ruleOf(ret, TCP(), to("128.0.0.0/1"), In("x"))}, []Rule{ruleOf(ret, TCP(), In("x"))}},
		{"another target", plain, []Rule{ruleOf(ret, to(a)), ruleOf(Accept(), to(b))}, []Rule{ruleOf(ret, to(a)), ruleOf(Accept(), to(b))}},
		{"source and destination", plain, []Rule{ruleOf(ret, to(a)), ruleOf(ret, from(b))}, []Rule{ruleOf(ret, to(a)), ruleOf(ret, from(b))}},
		{"address and port", plain, []Rule{ruleOf(ret, to(a)), ruleOf(ret, toPorts(1))}, []Rule{ruleOf(ret, to(a)), ruleOf(ret, toPorts(1))}},
		{"two differences", plain, []Rule{ruleOf(ret, to(a), toPorts(1)), ruleOf(ret, to(b), toPorts(2))}, []Rule{ruleOf(ret, to(a), toPorts(1)), ruleOf(ret, to(b), toPorts(2))}},
		{"one condition more", plain, []Rule{ruleOf(ret, to(a)), ruleOf(ret, to(b), TCP())}, []Rule{ruleOf(ret, to(a)), ruleOf(ret, to(b), TCP())}},
		{"inverted", plain, []Rule{ruleOf(ret, Not(to(a))), ruleOf(ret, Not(to(b)))}, []Rule{ruleOf(ret, Not(to(a))), ruleOf(ret, Not(to(b)))}},
		{"the longer of two ways", plain,
			[]Rule{ruleOf(ret, to(a), toPorts(1)), ruleOf(ret, to(b), toPorts(1)), ruleOf(ret, to(c), toPorts(1)), ruleOf(ret, to(c), toPorts(2))},
			[]Rule{ruleOf(ret, to(a, b, c), toPorts(1)), ruleOf(ret, to(c), toPorts(2))}},
		{"the first of two ways alike", plain, []Rule{ruleOf(ret, to(a), toPorts(1)), ruleOf(ret, to(a), toPorts(1))}, []Rule{ruleOf(ret, to(a), toPorts(1))}},
		{"too few addresses", Runs{Least: 3}, []Rule{ruleOf(ret, to(a)), ruleOf(ret, to(b))}, []Rule{ruleOf(ret, to(a)), ruleOf(ret, to(b))}},
		{"enough addresses", Runs{Least: 3, LeastPorts: 9}, []Rule{ruleOf(ret, to(a)), ruleOf(ret, to(b)), ruleOf(ret, to(c))}, []Rule{ruleOf(ret, to(a, b, c))}},
		{"too few ports", Runs{LeastPorts: 3}, []Rule{ruleOf(ret, toPorts(1)), ruleOf(ret, toPorts(3))}, []Rule{ruleOf(ret, toPorts(1)), ruleOf(ret, toPorts(3))}},
		{"enough ports", Runs{Least: 9, LeastPorts: 3}, []Rule{ruleOf(ret, toPorts(1)), ruleOf(ret, toPorts(3)), ruleOf(ret, toPorts(5))}, []Rule{ruleOf(ret, toPorts(1, 3, 5))}},
		{"jumps that no packet takes twice", plain, []Rule{ruleOf(Jump("X"), to(a)), ruleOf(Jump("X"), to(b))}, []Rule{ruleOf(Jump("X"), to(a, b))}},
		{"jumps that some packet takes twice", plain, []Rule{ruleOf(Jump("X"), to(a)), ruleOf(Jump("X"), to(c)), ruleOf(Jump("X"), to("192.0.2.0/24"))}, []Rule{ruleOf(Jump("X"), to(a, c)), ruleOf(Jump("X"), to("192.0.2.0/24"))}},
		{"jumps from far to near", plain, []Rule{ruleOf(Jump("X"), to(c)), ruleOf(Jump("X"), to(a)), ruleOf(Jump("X"), to(c))}, []Rule{ruleOf(Jump("X"), to(a, c)), ruleOf(Jump("X"), to(c))}},
		{"ports of jumps", plain, []Rule{ruleOf(Jump("X"), toPorts(7)), ruleOf(Jump("X"), toPorts(1)), ruleOf(Jump("X"), toPorts(7))}, []Rule{ruleOf(Jump("X"), toPorts(1, 7)), ruleOf(Jump("X"), toPorts(7))}},
		{"goto ends the chain", plain, []Rule{ruleOf(JumpTo{"X", true}, to(a)), ruleOf(JumpTo{"X", true}, to("192.0.2.0/24"))}, []Rule{ruleOf(JumpTo{"X", true}, to("192.0.2.0/24"))}},
		{"marks are written twice", plain, []Rule{ruleOf(SetMark{1, 3}, to(a)), ruleOf(SetMark{1, 3}, to("192.0.2.0/24"))}, []Rule{ruleOf(SetMark{1, 3}, to("192.0.2.0/24"))}},
		{"marks are not inverted twice", plain, []Rule{ruleOf(SetMark{1, 2}, to(a)), ruleOf(SetMark{1, 2}, to("192.0.2.0/24"))}, []Rule{ruleOf(SetMark{1, 2}, to(a)), ruleOf(SetMark{1, 2}, to("192.0.2.0/24"))}},
		{"the zone is set once", plain, []Rule{ruleOf(Zone{1}, to(a)), ruleOf(Zone{1}, to("192.0.2.0/24"))}, []Rule{ruleOf(Zone{1}, to("192.0.2.0/24"))}},
	} {
		got := JoinRuns(x.in, x.runs)
		if !slices.EqualFunc(got, x.want, Rule.Same) {
			t.Errorf("%s: got\n%swant\n%s", x.name, listed(got), listed(x.want))
		}
	}
}

func TestACommentKeepsRulesApart(t *testing.T) {
	a, b := ruleOf(Return(), to("192.0.2.1/32")), ruleOf(Return(), to("192.0.2.9/32"))
	a.Comment, a.Why, b.Why = "one", "first", "second"
	if got := JoinRuns([]Rule{a, b}, Runs{}); len(got) != 2 {
		t.Errorf("got\n%swant both", listed(got))
	}
	b.Comment = "one"
	if got := JoinRuns([]Rule{a, b}, Runs{}); len(got) != 1 || got[0].Comment != "one" || got[0].Why != "first" {
		t.Errorf("got\n%swant one rule with the comment, of the first one's origin", listed(got))
	}
}

func TestWhatAConditionLooksAtIsTold(t *testing.T) {
	one, port := prefix("192.0.2.1/32"), PortRange{1, 2}
	for _, c := range []struct {
		m        Match
		at       Place
		prefixes int
		ports    int
	}{
		{Source{Prefix: one}, Place{SrcSide, false}, 1, 0},
		{Destination{Prefix: one}, Place{DstSide, false}, 1, 0},
		{InSet{Side: SrcSide, Elements: []netip.Prefix{one, one}}, Place{SrcSide, false}, 2, 0},
		{InSet{Side: DstSide}, Place{DstSide, false}, 0, 0},
		{SourcePort{Range: port}, Place{SrcSide, true}, 0, 1},
		{DestinationPort{Range: port}, Place{DstSide, true}, 0, 1},
		{MultiPort{Side: Either, Ranges: []PortRange{port, port}}, Place{Either, true}, 0, 2},
		{PortInSet{Side: DstSide, Ranges: []PortRange{port}}, Place{DstSide, true}, 0, 1},
	} {
		for _, not := range []bool{false, true} {
			m := c.m
			if not {
				m = Not(m)
			}
			at, inverted, ok := PlaceOf(m)
			if !ok || at != c.at || inverted != not || len(PrefixesOf(m)) != c.prefixes || len(PortsOf(m)) != c.ports {
				t.Errorf("%#v: got %v, inverted %t, %t; %v and %v", m, at, inverted, ok, PrefixesOf(m), PortsOf(m))
			}
		}
	}
	for _, m := range []Match{TCP(), In("x"), Opaque{}, Marked(1)} {
		if at, inverted, ok := PlaceOf(m); ok || inverted || at != (Place{}) || PrefixesOf(m) != nil || PortsOf(m) != nil {
			t.Errorf("%#v: got a place %v", m, at)
		}
	}
}
