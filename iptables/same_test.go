package iptables

import (
	"net/netip"
	"testing"
)

// kinds is conditions of every kind, no two of which are the same.
func kinds() []Match {
	one, two := prefix("192.0.2.1/32"), prefix("198.51.100.0/24")
	a, b := OnePort(1), OnePort(3)
	list := []Match{
		Source{Prefix: one}, Source{Prefix: two}, Destination{Prefix: one}, In("x"), Out("x"), TCP(), UDP(),
		SourcePort{Range: a}, DestinationPort{Range: a}, DestinationPort{Range: b},
		MultiPort{Side: DstSide, Ranges: []PortRange{a}}, MultiPort{Side: SrcSide, Ranges: []PortRange{a}}, MultiPort{Side: DstSide, Ranges: []PortRange{a, b}},
		InSet{Name: "a", Side: DstSide}, InSet{Name: "b", Side: DstSide}, InSet{Name: "a", Side: SrcSide},
		InSet{Name: "a", Side: DstSide, Elements: []netip.Prefix{one}}, InSet{Name: "a", Side: DstSide, Elements: []netip.Prefix{one, two}},
		InSet{Name: "a", Side: SrcSide, Elements: []netip.Prefix{one}},
		PortInSet{Name: "a", Side: DstSide}, PortInSet{Name: "b", Side: DstSide}, PortInSet{Name: "a", Side: SrcSide},
		PortInSet{Name: "a", Side: DstSide, Ranges: []PortRange{a}}, PortInSet{Name: "a", Side: DstSide, Ranges: []PortRange{b}},
		PortInSet{Name: "a", Side: SrcSide, Ranges: []PortRange{a}},
		InState(StateNew), InState(StateNew, StateRelated), Opaque{Words: []string{"x"}}, Opaque{Words: []string{"x", "y"}},
		InSet{}, PortInSet{}, MultiPort{}, ConnState{}, Opaque{},
		ByUID(OneID(1)), ByGID(OneID(1)), Marked(1), ConnMarked(1), TransparentSocket{}, Reply(),
	}
	for _, m := range list[:26] { // those of which Not makes another value
		list = append(list, Not(m))
	}
	return list
}

func TestAConditionIsTheSameAsItselfAndAsNoOther(t *testing.T) {
	left, right := kinds(), kinds() // no memory in common
	for i, a := range left {
		for j, b := range right {
			if got := SameMatches([]Match{a}, []Match{b}); got != (i == j) {
				t.Errorf("%#v and %#v: got %t", a, b, got)
			}
		}
	}
	if SameMatches([]Match{TCP()}, []Match{TCP(), TCP()}) {
		t.Error("one condition and two: got true")
	}
}

// What a set holds is its meaning; a name is one only where that is unknown.
func TestTheNameOfAKnownSetDoesNotCount(t *testing.T) {
	elements, ports := []netip.Prefix{prefix("192.0.2.1/32")}, []PortRange{OnePort(1)}
	for _, pair := range [][2]Match{
		{InSet{Name: "a", Side: DstSide, Elements: elements}, InSet{Name: "b", Side: DstSide, Elements: elements}},
		{PortInSet{Name: "a", Side: DstSide, Ranges: ports}, PortInSet{Name: "b", Side: DstSide, Ranges: ports}},
	} {
		if !SameMatches(pair[:1], pair[1:]) {
			t.Errorf("%#v and %#v: got false", pair[0], pair[1])
		}
	}
}

func TestRulesAreTheSameByConditionsTargetAndComment(t *testing.T) {
	opaque := func(name string, words ...string) Target { return OpaqueTarget{Name: name, Words: words} }
	targets := func() []Target {
		return []Target{nil, Return(), Accept(), Redirect{1}, Redirect{2}, Jump("X"), opaque(""), opaque("A"), opaque("B"), opaque("A", "w"), opaque("A", "w", "v")}
	}
	for i, a := range targets() {
		for j, b := range targets() {
			x, y := Rule{Match: []Match{TCP()}, Target: a}, Rule{Match: []Match{TCP()}, Target: b, Why: "another origin"}
			if got := x.Same(y); got != (i == j) {
				t.Errorf("%#v and %#v: got %t", a, b, got)
			}
		}
	}
	x := Rule{Match: []Match{TCP()}, Target: Return(), Comment: "c"}
	for _, y := range []Rule{{Match: x.Match, Target: x.Target}, {Match: []Match{UDP()}, Target: x.Target, Comment: "c"}} {
		if x.Same(y) {
			t.Errorf("%s and %s: got true", x, y)
		}
	}
}
