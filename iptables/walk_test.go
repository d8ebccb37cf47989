package iptables_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// leaves is TCP to 192.0.2.9 port 80 that leaves by eth0.
func leaves(change ...func(*iptables.Packet)) iptables.Packet {
	p := iptables.Packet{
		Protocol: iptables.ProtoTCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.9"),
		SrcPort: 40000, DstPort: 80, Out: "eth0", Owner: &iptables.Owner{UID: 1000},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func arrives(p *iptables.Packet)  { p.In, p.Out, p.Owner = "eth0", "", nil }
func byLo(p *iptables.Packet)     { p.In, p.Out = iface(p.In), iface(p.Out) }
func replies(p *iptables.Packet)  { p.Reply = true }
func toIPv6(p *iptables.Packet)   { p.Dst = netip.MustParseAddr("2001:db8::9") }
func overMark(p *iptables.Packet) { p.Mark, p.ConnMark = 0xf0f, 0x1234 }

func iface(name string) string {
	if name == "" {
		return ""
	}
	return "lo"
}

func state(s iptables.State) func(*iptables.Packet) {
	return func(p *iptables.Packet) { p.State = s }
}

func wayOf(p iptables.Packet) iptables.Path {
	if p.In != "" {
		return iptables.Arriving
	}
	return iptables.Leaving
}

// told is an outcome in words: what became of the packet, by which rule, and
// what it has been made to be.
func told(o iptables.Outcome) string {
	words := []string{[]string{"passed", "dropped", "redirected", "tproxied", "unknown"}[o.Fate]}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if o.Port != 0 {
		add("to %d", o.Port)
	}
	if s := o.Stop; s.Chain != "" {
		add("by %s %s %d", s.Table, s.Chain, s.Number)
	}
	for _, v := range []struct {
		name        string
		out, packet uint32
	}{{"mark", o.Mark, o.Packet.Mark}, {"connmark", o.ConnMark, o.Packet.ConnMark}, {"zone", uint32(o.Zone), uint32(o.Zone)}} {
		if v.out != v.packet {
			add("%s %#x but %#x", v.name, v.out, v.packet)
		} else if v.out != 0 {
			add("%s %#x", v.name, v.out)
		}
	}
	if p := o.Packet; p.DstPort != 80 {
		add("at %s", netip.AddrPortFrom(p.Dst, uint16(p.DstPort)))
	}
	return strings.Join(append(words, string(o.Packet.State)), " ")
}

func traced(t *testing.T, dump string) *iptables.Tracer {
	t.Helper()
	rs, err := iptables.Parse(iptables.V4, dump)
	if err != nil {
		t.Fatal(err)
	}
	return rs.Tracer()
}

func TestTargetsDoToAPacketWhatTheKernelDoes(t *testing.T) {
	const captured = "*nat\n-A OUTPUT -j REDIRECT --to-ports 15001\n"
	for _, c := range []struct {
		rules string
		p     iptables.Packet
		want  string
	}{
		{"", leaves(), "passed"},
		{"*nat\n-A OUTPUT -p udp -j DROP\n", leaves(), "passed"},
		// Verdicts, in a chain and in one below it.
		{"*nat\n-A OUTPUT -j ACCEPT\n-A OUTPUT -j DROP\n", leaves(), "passed by nat OUTPUT 1"},
		{"*nat\n:OUTPUT DROP\n-A OUTPUT -j RETURN\n-A OUTPUT -j ACCEPT\n", leaves(), "dropped by nat OUTPUT 0"},
		{"*nat\n:OUTPUT ACCEPT\n-A OUTPUT -j RETURN\n-A OUTPUT -j DROP\n", leaves(), "passed by nat OUTPUT 1"},
		{"*nat\n-A OUTPUT -j C\n-A OUTPUT -j DROP\n-A C -p tcp -j ACCEPT\n", leaves(), "passed by nat C 1"},
		{"*nat\n-A OUTPUT -j C\n-A OUTPUT -j DROP\n-A C -p tcp -j RETURN\n-A C -j ACCEPT\n", leaves(), "dropped by nat OUTPUT 2"},
		{"*nat\n-A OUTPUT -j C\n-A OUTPUT -j DROP\n-A C -p udp -j ACCEPT\n", leaves(), "dropped by nat OUTPUT 2"},
		{"*nat\n-A OUTPUT -p udp\n-A OUTPUT -j QUEUE\n", leaves(), "unknown by nat OUTPUT 2"},
		{captured + "*filter\n-A OUTPUT -j ACCEPT\n", leaves(), "redirected to 15001 by nat OUTPUT 1 at 127.0.0.1:15001"},
		{captured + "*filter\n-A OUTPUT -j RETURN\n", leaves(), "redirected to 15001 by nat OUTPUT 1 at 127.0.0.1:15001"},
		{captured + "*filter\n-A OUTPUT -j DROP\n", leaves(), "dropped by filter OUTPUT 1 at 127.0.0.1:15001"},
		// A goto does not come back; what leaves the table leaves it all the same.
		{"*nat\n-A OUTPUT -j C\n-A OUTPUT -j DROP\n-A C -g D\n-A C -j ACCEPT\n-A D -p udp -j ACCEPT\n", leaves(), "dropped by nat OUTPUT 2"},
		{"*nat\n-A OUTPUT -j C\n-A OUTPUT -j DROP\n-A C -g D\n-A C -j DROP\n-A D -p tcp -j ACCEPT\n", leaves(), "passed by nat D 1"},
		{"*nat\n:OUTPUT DROP\n-A OUTPUT -g D\n-A OUTPUT -j ACCEPT\n-A D -p tcp -j RETURN\n", leaves(), "dropped by nat OUTPUT 0"},
		{"*nat\n-A OUTPUT -p udp\n-A OUTPUT -j MISSING\n", leaves(), "unknown by nat OUTPUT 2"},
		// Captures.
		{captured, leaves(toIPv6), "redirected to 15001 by nat OUTPUT 1 at [::1]:15001"},
		{"*nat\n-A OUTPUT -j C\n-A OUTPUT -j DROP\n-A C -j REDIRECT --to-ports 15001\n", leaves(), "redirected to 15001 by nat C 1 at 127.0.0.1:15001"},
		{"*nat\n-A PREROUTING -j REDIRECT --to-ports 15006\n", leaves(arrives), "redirected to 15006 by nat PREROUTING 1 at 192.0.2.9:15006"},
		{"*mangle\n-A PREROUTING -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x3/0xff\n-A PREROUTING -j DROP\n", leaves(arrives, overMark), "tproxied to 15006 by mangle PREROUTING 1 mark 0xf03 connmark 0x1234"},
		{
			"*mangle\n-A PREROUTING -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x3/0xff\n*nat\n-A PREROUTING -j C\n-A PREROUTING -j DROP\n-A C -j REDIRECT --to-ports 1\n",
			leaves(arrives), "tproxied to 15006 by mangle PREROUTING 1 mark 0x3",
		},
		// Marks, each under its masks.
		{"*mangle\n-A OUTPUT -j MARK --set-xmark 0x539/0xff\n", leaves(overMark), "passed mark 0xa39 connmark 0x1234"},
		{"*mangle\n-A OUTPUT -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0\n", leaves(overMark), "passed mark 0xf0f connmark 0x120b"},
		{"*mangle\n-A OUTPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf0\n", leaves(overMark), "passed mark 0xf30 connmark 0x1234"},
		{"*mangle\n-A OUTPUT -j CONNMARK --save-mark\n", leaves(overMark, state(iptables.StateUntracked)), "passed mark 0xf0f connmark 0x1234 UNTRACKED"},
		{"*mangle\n-A OUTPUT -j CONNMARK --restore-mark\n", leaves(overMark, state(iptables.StateInvalid)), "passed mark 0xf0f connmark 0x1234 INVALID"},
		// Targets of other modules.
		{"*filter\n-A OUTPUT -j NFLOG\n-A OUTPUT -j REJECT\n-A OUTPUT -j ACCEPT\n", leaves(), "dropped by filter OUTPUT 2"},
		{"*nat\n-A POSTROUTING -j C\n-A POSTROUTING -j DROP\n-A C -j MASQUERADE\n", leaves(), "passed"},
		{"*filter\n-A OUTPUT -p tcp\n-A OUTPUT -j SYNPROXY\n", leaves(), "unknown by filter OUTPUT 2"},
		{"*filter\n-A OUTPUT -m time -j NFLOG\n-A OUTPUT -m time -j LOG\n-A OUTPUT -m time\n-A OUTPUT -j DROP\n", leaves(), "dropped by filter OUTPUT 4"},
		{"*filter\n-A OUTPUT -m time -j REJECT\n", leaves(), "unknown by filter OUTPUT 1"},
		{"*filter\n-A OUTPUT -m time -j MARK --set-mark 1\n", leaves(), "unknown by filter OUTPUT 1"},
	} {
		if got := strings.TrimSpace(told(traced(t, c.rules).Trace(c.p, wayOf(c.p)))); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.rules, got, c.want)
		}
	}
}

// Counters on Linux 6.18 say: a second CT does nothing, nor does one in
// PREROUTING to what comes by lo; a packet of an established connection is
// untracked like the first.
func TestConntracksTargetsTakeAPacketOnce(t *testing.T) {
	zone, other, notrack := "-A %[1]s -j CT --zone 1\n", "-A %[1]s -j CT --zone 2\n", "-A %[1]s -j CT --notrack\n"
	for _, c := range []struct {
		rules string
		p     iptables.Packet
		want  string
	}{
		{zone, leaves(), "passed zone 0x1 "},
		{zone + other, leaves(), "passed zone 0x1 "},
		{zone + notrack, leaves(), "passed zone 0x1 "},
		{notrack, leaves(), "passed UNTRACKED"},
		{notrack + "-A %[1]s -j DROP\n", leaves(), "dropped by raw OUTPUT 2 UNTRACKED"},
		{notrack + zone, leaves(), "passed UNTRACKED"},
		{notrack, leaves(state(iptables.StateNew)), "passed UNTRACKED"},
		{notrack, leaves(state(iptables.StateEstablished)), "passed UNTRACKED"},
		{notrack, leaves(byLo), "passed UNTRACKED"},
		{zone, leaves(byLo), "passed zone 0x1 "},
		{notrack, leaves(arrives), "passed UNTRACKED"},
		{notrack, leaves(arrives, byLo), "passed "},
		{zone, leaves(arrives, byLo), "passed "},
	} {
		hook := iptables.Prerouting
		if wayOf(c.p) == iptables.Leaving {
			hook = iptables.Output
		}
		if got := told(traced(t, "*raw\n"+fmt.Sprintf(c.rules, hook)).Trace(c.p, wayOf(c.p))); got != c.want {
			t.Errorf("%s%+v\n got %s\nwant %s", c.rules, c.p, got, c.want)
		}
	}
}

func TestNatIsAskedForTheFirstPacketOfAConnectionOnly(t *testing.T) {
	for _, c := range []struct {
		p     iptables.Packet
		asked bool
	}{
		{leaves(), true},
		{leaves(arrives), true},
		{leaves(state(iptables.StateNew)), true},
		{leaves(state(iptables.StateRelated)), true},
		{leaves(state(iptables.StateEstablished)), false},
		{leaves(state(iptables.StateInvalid)), false},
		{leaves(state(iptables.StateUntracked)), false},
		{leaves(replies), false},
		{leaves(byLo), true},
		{leaves(arrives, byLo), false},
	} {
		out := traced(t, "*nat\n-A OUTPUT -j DROP\n-A PREROUTING -j DROP\n").Trace(c.p, wayOf(c.p))
		if got := out.Fate == iptables.Dropped; got != c.asked {
			t.Errorf("%+v: asked %v, want %v", c.p, got, c.asked)
		}
	}
}

func TestEndlessJumpsEndUndecidedAndDeepOnesDoNot(t *testing.T) {
	nested := func(depth int) string {
		dump := "*nat\n-A OUTPUT -j C1\n"
		for i := 1; i < depth; i++ {
			dump += fmt.Sprintf("-A C%d -j C%d\n", i, i+1)
		}
		return dump + fmt.Sprintf("-A C%d -j DROP\n", depth)
	}
	step := func(chain string) iptables.Step {
		return iptables.Step{Table: iptables.Nat, Chain: chain, Depth: 65, Path: iptables.Leaving, Packet: leaves()}
	}
	if got := told(traced(t, nested(64)).Trace(leaves(), iptables.Leaving)); got != "dropped by nat C64 1 " {
		t.Errorf("64 jumps deep: got %s, want it dropped there", got)
	}
	for dump, chain := range map[string]string{nested(65): "C65", "*nat\n-A OUTPUT -j LOOP\n-A LOOP -j LOOP\n": "LOOP"} {
		out := traced(t, dump).Trace(leaves(), iptables.Leaving)
		if out.Fate != iptables.Unknown || !reflect.DeepEqual(out.Stop, step(chain)) {
			t.Errorf("got fate %d by %+v, want %d by %+v", out.Fate, out.Stop, iptables.Unknown, step(chain))
		}
	}
}
