package iptables_test

import (
	"net/netip"
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
