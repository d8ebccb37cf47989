package iptables

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// oddPorts are rules that leave n ports alone, as few to a rule as a multiport holds.
func oddPorts(n int) []Rule {
	var ranges []PortRange
	for i := range n {
		ranges = append(ranges, OnePort(Port(2*i+1)))
	}
	var rules []Rule
	for _, pack := range PackPorts(ranges) {
		rules = append(rules, Rule{Match: []Match{TCP(), MultiPort{Side: DstSide, Ranges: pack}}, Target: Return()})
	}
	return rules
}

func TestManyPortsBecomeOneSetThatDecidesAlike(t *testing.T) {
	rules := append(oddPorts(1000), Rule{Match: []Match{TCP()}, Target: Redirect{15001}})
	rs := Ruleset{Family: V4, Chains: []Chain{{Table: Nat, Name: Output, Policy: "ACCEPT", Rules: rules}}}
	packed := rs.PackSets(Runs{Least: 64, LeastPorts: 8})
	if got := len(packed.Chains[0].Rules); got != 2 {
		t.Fatalf("%d rules, want the set's and the last one", got)
	}
	if err := packed.Chains[0].Rules[0].Validate(); err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		p := Packet{Protocol: ProtoTCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.1"), DstPort: Port(rand.N(2100))}
		if got, want := packed.Trace(p, Leaving, nil).Fate, rs.Trace(p, Leaving, nil).Fate; got != want {
			t.Errorf("port %d: the set makes it %v, want %v as the list", p.DstPort, got, want)
		}
	}
	if got := rs.Chains[0].Rules[0].Match[1]; got.(MultiPort).Ranges == nil {
		t.Errorf("packing changed its input: %#v", got)
	}
}

func TestFewPortsStayAList(t *testing.T) {
	rs := Ruleset{Family: V4, Chains: []Chain{{Table: Nat, Name: Output, Policy: "ACCEPT", Rules: oddPorts(7 * MultiPortSlots)}}}
	packed := rs.PackSets(Runs{Least: 64, LeastPorts: 8})
	if got := len(packed.PortSets()); got != 0 {
		t.Errorf("%d sets for 105 ports, want none", got)
	}
	if got := len(packed.Chains[0].Rules); got != 7 {
		t.Errorf("%d rules, want the 7 there were", got)
	}
}

func TestListTooLongForAMultiportBecomesASetOfTheSameMeaning(t *testing.T) {
	ports := func(n int) (list []PortRange) {
		for i := range n {
			list = append(list, OnePort(Port(2*i+1)))
		}
		return list
	}
	for n, set := range map[int]bool{MultiPortSlots: false, MultiPortSlots + 1: true} {
		for _, list := range []MultiPort{{Side: DstSide, Ranges: ports(n)}, {Side: SrcSide, Not: true, Ranges: ports(n)}} {
			rs := Ruleset{Family: V6, Chains: []Chain{{Table: Nat, Name: Output, Rules: []Rule{{Match: []Match{TCP(), list}, Target: Return()}}}}}
			packed := rs.PackSets(Runs{Least: 64, LeastPorts: 64})
			want := Match(list)
			if set {
				want = PortInSet{Name: PortSetName(list.Ranges), Side: list.Side, Not: list.Not, Ranges: list.Ranges}
			}
			if got := packed.Chains[0].Rules[0].Match; !SameMatches(got, []Match{TCP(), want}) {
				t.Errorf("%d ports: got %#v, want %#v", n, got[1], want)
			}
			if got := rs.Chains[0].Rules[0].Match; !SameMatches(got, []Match{TCP(), list}) {
				t.Errorf("%d ports: packing changed its input to %#v", n, got[1])
			}
			if packed.Family != V6 {
				t.Errorf("packed rules are of family %v, want %v", packed.Family, V6)
			}
		}
	}
}

func TestSetsAreListedOnceByName(t *testing.T) {
	out := func(name string) Match { return InSet{Name: name, Side: DstSide} }
	rs := Ruleset{Family: V4}
	rs.Append(Nat, ChainInbound, Rule{Match: []Match{out("c"), In("eth0"), out("a")}}, Rule{Match: []Match{out("b")}})
	rs.Append(Nat, ChainOutput, Rule{Match: []Match{out("a"), TCP(), PortInSet{Name: "p", Side: DstSide}}})
	var got string
	for _, s := range rs.Sets() {
		got += s.Name + " "
	}
	for _, s := range rs.PortSets() {
		got += s.Name + " "
	}
	if want := "a b c p "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
