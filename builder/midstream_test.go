package builder

import (
	"math/rand/v2"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// What does not open a connection belongs to whoever has it: to the proxy if
// TPROXY had its first packet or a transparent socket is there, else to the
// application, whose connection is from before the rules.
func TestInTPROXYModeWhatDoesNotOpenAConnectionStaysWhereItIs(t *testing.T) {
	captured := 0
	onRandomPackets(t, 8, func(_ *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		if c.Mode != TProxyMode || path != iptables.Arriving || p.Protocol != iptables.ProtoTCP || p.Reply || p.State == iptables.StateInvalid {
			return
		}
		p.Mark = 0 // from outside, not from the proxy
		rules := Build(c, p.Family())
		opening := rules.Trace(p, path, nil)
		if opening.Fate != iptables.TProxied {
			return
		}
		captured++
		p.Midstream = true
		if got := rules.Trace(p, path, nil); got.Fate != iptables.Passed || got.Mark != 0 {
			t.Fatalf("packet %+v of another's connection: fate %d, mark %#x; want it left alone", p, got.Fate, got.Mark)
		}
		p.State = iptables.StateEstablished
		if got := rules.Trace(p, path, nil); got.Fate != iptables.Passed || got.Mark != 0 {
			t.Fatalf("packet %+v of another's established connection: fate %d, mark %#x; want it left alone", p, got.Fate, got.Mark)
		}
		p.ConnMark = opening.ConnMark
		if got := rules.Trace(p, path, nil); got.Fate != iptables.TProxied || got.Port != c.InboundPort {
			t.Fatalf("packet %+v of a captured connection without a socket: fate %d, want TPROXY to decide", p, got.Fate)
		}
		p.ConnMark, p.Transparent = 0, true
		if got := rules.Trace(p, path, nil); got.Fate != iptables.Passed || got.Mark != uint32(c.TProxyMark) {
			t.Fatalf("packet %+v for the proxy's socket: fate %d, mark %#x; want it marked", p, got.Fate, got.Mark)
		}
	})
	if captured == 0 {
		t.Error("no packet was captured: the random packets miss their mark")
	}
}

// conntrack calls a first packet established while it remembers a connection of
// the same ports that was reset.
func TestInTPROXYModeWhatOpensAConnectionIsCapturedInAnyState(t *testing.T) {
	captured := 0
	onRandomPackets(t, 9, func(_ *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		if c.Mode != TProxyMode || path != iptables.Arriving || p.Reply || p.State == iptables.StateInvalid {
			return
		}
		want := byRules(c, p, path)
		if want == ToIn {
			captured++
		}
		for _, s := range []iptables.State{iptables.StateEstablished, iptables.StateUntracked} {
			for _, transparent := range []bool{true, false} { // of what rests in TIME_WAIT
				if p.State, p.Transparent = s, transparent; byRules(c, p, path) != want && want == ToIn {
					t.Fatalf("packet %+v: %s, want %s as in state NEW", p, byRules(c, p, path), want)
				}
			}
		}
	})
	if captured == 0 {
		t.Error("no packet was captured: the random packets miss their mark")
	}
}
