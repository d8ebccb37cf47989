package netns

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

func TestHopsAreThoseThatTheKernelTakes(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up; ip link add br0 type bridge; ip link set br0 up; "+
		"ip addr add 192.0.2.7/24 dev br0; ip -6 addr add 2001:db8::7/64 dev br0 nodad; "+
		"ip route add 198.51.100.0/24 via 192.0.2.1 src 192.0.2.7; ip route add unreachable 203.0.113.0/25; ip route add blackhole 203.0.113.128/25; "+
		"ip -6 route add unreachable 2001:db8:1::/64; ip -6 route add 2001:db8:2::/64 via 2001:db8::1; "+
		"until ip -6 route show table local | grep -q '^local 2001:db8::7 '; do sleep 0.01; done") // the kernel makes it a moment later
	c := dial(t, name)
	for to, want := range map[string]string{
		"192.0.2.7":     "lo 192.0.2.7",
		"192.0.2.80":    "br0 192.0.2.7",
		"198.51.100.80": "br0 192.0.2.7",
		"198.18.0.1":    " invalid IP",
		"203.0.113.1":   " invalid IP",
		"203.0.113.200": " invalid IP",
		"2001:db8::7":   "lo 2001:db8::7",
		"2001:db8:2::1": "br0 2001:db8::7",
		"2001:db8:1::1": " invalid IP",
		"2001:db8:9::1": " invalid IP",
	} {
		hop, err := c.Hop(context.Background(), netip.MustParseAddr(to))
		must(t, err)
		same(t, to, fmt.Sprint(hop.Interface, " ", hop.Source), want)
	}
}
