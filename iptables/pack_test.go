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
		rules = append(rules, Rule{Match: All(TCP(), MultiPort{Side: DstSide, Ranges: pack}), Target: Return()})
	}
	return rules
}

func TestManyPortsBecomeOneSetThatDecidesAlike(t *testing.T) {
	rules := append(oddPorts(1000), Rule{Match: All(TCP()), Target: Redirect{15001}})
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
