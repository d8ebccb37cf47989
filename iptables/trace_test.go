package iptables_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// The dumps below were loaded into a kernel (Linux 6.18, both flavours), and
// their counters are what the cases expect.
func TestCapturedPacketsGoOnToLaterHooks(t *testing.T) {
	const nat = "*nat\n:OUTPUT ACCEPT\n-A OUTPUT -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 15001\nCOMMIT\n"
	for _, c := range []struct {
		name, filter string
		want         iptables.Fate
	}{
		{"no filter rules", "", iptables.Redirected},
		{"filter OUTPUT sees the new destination", "*filter\n-A OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 15001 -j DROP\n", iptables.Dropped},
		{"filter OUTPUT no longer sees the old destination", "*filter\n-A OUTPUT -p tcp -m tcp --dport 80 -j DROP\n", iptables.Redirected},
		{"filter OUTPUT still sees the old interface", "*filter\n-A OUTPUT -o lo -j DROP\n", iptables.Redirected},
		{"POSTROUTING sees the new interface", "*mangle\n-A POSTROUTING -o lo -j DROP\n", iptables.Dropped},
		{"the packet then arrives by lo", "*filter\n-A INPUT -i lo -p tcp -m tcp --dport 15001 -j DROP\n", iptables.Dropped},
		{"REJECT drops", "*filter\n-A INPUT -i lo -j REJECT --reject-with icmp-port-unreachable\n", iptables.Dropped},
		{"nat is not consulted again on lo", "*nat\n-A PREROUTING -i lo -p tcp -j REDIRECT --to-ports 1\n-A INPUT -i lo -j DROP\n", iptables.Redirected},
		{"an untracked packet passes by nat", "*raw\n-A OUTPUT -p tcp -j CT --notrack\n", iptables.Passed},
	} {
		t.Run(c.name, func(t *testing.T) {
			rs, err := iptables.Parse(iptables.V4, nat+c.filter)
			if err != nil {
				t.Fatal(err)
			}
			out := rs.Tracer().Follow(iptables.Packet{
				Protocol: iptables.ProtoTCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.9"),
				SrcPort: 40000, DstPort: 80, Out: "eth0",
			}, iptables.Leaving)
			if out.Fate != c.want {
				t.Errorf("got fate %d (stopped by %q), want %d", out.Fate, out.Stop.Rule, c.want)
			}
		})
	}
}

func TestSuppositionsDecideWhatIsNotModelled(t *testing.T) {
	rs, err := iptables.Parse(iptables.V4, "*nat\n-A OUTPUT -m time --timestart 10:00 -j REDIRECT --to-ports 15001\n")
	if err != nil {
		t.Fatal(err)
	}
	p := iptables.Packet{Protocol: iptables.ProtoTCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.9"), Out: "eth0"}
	for suppose, want := range map[iptables.Answer]iptables.Fate{
		iptables.Maybe: iptables.Unknown, iptables.Yes: iptables.Redirected, iptables.No: iptables.Passed,
	} {
		tracer := rs.Tracer()
		tracer.Suppose = func(iptables.Match) iptables.Answer { return suppose }
		if got := tracer.Trace(p, iptables.Leaving).Fate; got != want {
			t.Errorf("supposing %d: got fate %d, want %d", suppose, got, want)
		}
	}
}

func TestPacketsMeetEveryHookOfTheirPathInTheKernelsOrder(t *testing.T) {
	var everywhere iptables.Ruleset
	for _, table := range iptables.Tables() {
		for _, chain := range []string{iptables.Prerouting, iptables.Input, iptables.Forward, iptables.Output, iptables.Postrouting} {
			everywhere.Append(table, chain, iptables.Rule{})
		}
	}
	for path, want := range map[iptables.Path][]string{
		iptables.Arriving: {
			"arriving raw PREROUTING", "arriving mangle PREROUTING", "arriving nat PREROUTING",
			"arriving mangle INPUT", "arriving filter INPUT", "arriving security INPUT", "arriving nat INPUT",
		},
		iptables.Leaving: {
			"leaving raw OUTPUT", "leaving mangle OUTPUT", "leaving nat OUTPUT", "leaving filter OUTPUT", "leaving security OUTPUT",
			"leaving mangle POSTROUTING", "leaving nat POSTROUTING",
		},
	} {
		var got []string
		everywhere.Trace(leaves(), path, func(s iptables.Step) {
			got = append(got, fmt.Sprintf("%s %s %s", s.Path, s.Table, s.Chain))
		})
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestStepsTellWhatEachRuleSawAndAnswered(t *testing.T) {
	rs, err := iptables.Parse(iptables.V4, "*mangle\n-A OUTPUT -p udp -j DROP\n-A OUTPUT -j C\n-A C -j MARK --set-mark 5\n-A C -m time -j NFLOG\n"+
		"*filter\n:OUTPUT DROP\n-A OUTPUT -m time --kerneltz -j ACCEPT\n")
	if err != nil {
		t.Fatal(err)
	}
	chain := func(table iptables.Table, name string) []iptables.Rule {
		c, _ := rs.Chain(table, name)
		return c.Rules
	}
	output, below, filter := chain(iptables.Mangle, iptables.Output), chain(iptables.Mangle, "C"), chain(iptables.Filter, iptables.Output)
	p, marked := leaves(), leaves(func(p *iptables.Packet) { p.Mark = 5 })
	want := []iptables.Step{
		{iptables.Mangle, iptables.Output, 1, output[0], iptables.No, iptables.UDP(), 0, iptables.Leaving, p},
		{iptables.Mangle, iptables.Output, 2, output[1], iptables.Yes, nil, 0, iptables.Leaving, p},
		{iptables.Mangle, "C", 1, below[0], iptables.Yes, nil, 1, iptables.Leaving, p},
		{iptables.Mangle, "C", 2, below[1], iptables.Maybe, below[1].Match[0], 1, iptables.Leaving, marked},
		{iptables.Filter, iptables.Output, 1, filter[0], iptables.Maybe, filter[0].Match[0], 0, iptables.Leaving, marked},
	}
	var got []iptables.Step
	out := rs.Trace(p, iptables.Leaving, func(s iptables.Step) { got = append(got, s) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if out.Fate != iptables.Unknown || !reflect.DeepEqual(out.Stop, want[4]) {
		t.Errorf("got fate %d by %+v, want it unknown by %+v", out.Fate, out.Stop, want[4])
	}
	tracer := rs.Tracer()
	tracer.Suppose = func(iptables.Match) iptables.Answer { return iptables.No }
	policy := iptables.Step{Table: iptables.Filter, Chain: iptables.Output, Path: iptables.Leaving, Packet: marked}
	if out := tracer.Trace(p, iptables.Leaving); out.Fate != iptables.Dropped || !reflect.DeepEqual(out.Stop, policy) {
		t.Errorf("got fate %d by %+v, want it dropped by %+v", out.Fate, out.Stop, policy)
	}
}

func TestOnlyWhatLoopsArrivesAgain(t *testing.T) {
	const drop, redirect = "*filter\n-A OUTPUT -j DROP\n", "*nat\n-A OUTPUT -j REDIRECT --to-ports 15001\n-A PREROUTING -j REDIRECT --to-ports 15006\n"
	mark := func(v uint32) func(*iptables.Packet) { return func(p *iptables.Packet) { p.Mark = v } }
	for _, c := range []struct {
		name, rules string
		p           iptables.Packet
		again       bool
		want        string
	}{
		{"left by eth0", "", leaves(), false, "passed "},
		{"left by lo", "", leaves(byLo), true, "passed "},
		{"dropped on lo", drop, leaves(byLo), false, "dropped by filter OUTPUT 1 "},
		{"redirected", redirect, leaves(), true, "redirected to 15001 by nat OUTPUT 1 at 127.0.0.1:15001 "},
		{"redirected by the very last rule", "*nat\n-A POSTROUTING -j REDIRECT --to-ports 1\n", leaves(), true, "redirected to 1 by nat POSTROUTING 1 at 127.0.0.1:1 "},
		{"redirected as it arrives", redirect, leaves(arrives), false, "redirected to 15006 by nat PREROUTING 1 at 192.0.2.9:15006 "},
		{"arrived by lo", "", leaves(arrives, byLo), false, "passed "},
		{"with the mark of a local route", "", leaves(mark(1)), true, "passed mark 0x1 "},
		{"arrived with that mark", "", leaves(arrives, mark(1)), false, "passed mark 0x1 "},
		{"with another mark", "", leaves(mark(2), overMark), false, "passed mark 0xf0f connmark 0x1234 "},
		{"given the mark of a local route", "*mangle\n-A OUTPUT -j MARK --set-mark 1\n", leaves(), true, "passed mark 0x1 "},
	} {
		var second []iptables.Packet
		tracer := traced(t, c.rules+"*raw\n-A PREROUTING\n")
		tracer.Local = func(mark uint32) bool { return mark < 2 }
		tracer.Visit = func(s iptables.Step) {
			if s.Table == iptables.Raw {
				second = append(second, s.Packet)
			}
		}
		out := tracer.Follow(c.p, wayOf(c.p))
		if got := told(out); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		passes := map[bool]int{true: 1}[c.again]
		if wayOf(c.p) == iptables.Arriving {
			passes++
		}
		if len(second) != passes {
			t.Errorf("%s: it arrived %d times, want %d", c.name, len(second), passes)
		}
		if want := out.Packet; c.again && (len(second) == 0 || !reflect.DeepEqual(second[0], want) || want.In != "lo" || want.Out != "" || want.Owner != nil) {
			t.Errorf("%s: it arrived as %+v, want %+v without a socket, by lo", c.name, second, want)
		}
	}
	if out := traced(t, "").Follow(leaves(mark(1)), iptables.Leaving); out.Packet.In != "" {
		t.Errorf("without policy routing a mark brings a packet back as %+v", out.Packet)
	}
}

// Of all segments of a connection its first one alone opens it; what is no TCP
// opens none.
func TestOnlyTheFirstSegmentOpensAConnection(t *testing.T) {
	for _, c := range []struct {
		name   string
		packet iptables.Packet
		want   iptables.Answer
	}{
		{"first", iptables.Packet{Protocol: iptables.ProtoTCP}, iptables.Yes},
		{"later", iptables.Packet{Protocol: iptables.ProtoTCP, Midstream: true}, iptables.No},
		{"no TCP", iptables.Packet{Protocol: iptables.ProtoUDP}, iptables.No},
	} {
		opens, later := iptables.Rule{Match: []iptables.Match{iptables.Opens()}}, iptables.Rule{Match: []iptables.Match{iptables.Not(iptables.Opens())}}
		if got, _ := opens.Holds(c.packet); got != c.want {
			t.Errorf("%s: opens is %d, want %d", c.name, got, c.want)
		}
		if got, _ := later.Holds(c.packet); got == c.want {
			t.Errorf("%s: its inverse is %d too", c.name, got)
		}
	}
}

func TestFlagsWithoutTheirValueAreRefused(t *testing.T) {
	if r, err := iptables.ParseRule("-p tcp -m tcp --tcp-flags SYN"); err == nil {
		t.Errorf("got %s, want an error", r)
	}
}
