package netns

import (
	"fmt"
	"net/netip"
	"testing"
)

func addrs(prefixes ...string) (list []Addr) {
	for _, p := range prefixes {
		list = append(list, Addr{Prefix: netip.MustParsePrefix(p), Dev: "eth0"})
	}
	return list
}

func TestFactsSayWhetherLoIsUpAndTakesIPv6(t *testing.T) {
	for _, c := range []struct {
		facts   Facts
		up, six bool
	}{
		{Facts{IPv6: IPv6Enabled}, false, true},
		{Facts{IPv6: IPv6Enabled, Links: []Link{{Name: "lo", Up: true}}}, true, true},
		{Facts{IPv6: IPv6Enabled, Links: []Link{{Name: "lo"}, {Name: "eth0", Up: true}}}, false, true},
		{Facts{IPv6: IPv6Enabled, IPv6Off: []string{"eth0"}}, false, true},
		{Facts{IPv6: IPv6Enabled, IPv6Off: []string{"eth0", "lo"}}, false, false},
		{Facts{IPv6: IPv6Disabled}, false, false},
		{Facts{IPv6: IPv6Absent}, false, false},
	} {
		if up, six := c.facts.LoUp(), c.facts.LoHasIPv6(); up != c.up || six != c.six {
			t.Errorf("%+v: got up %t, IPv6 %t; want %t, %t", c.facts, up, six, c.up, c.six)
		}
	}
}

func TestFactsSayWhetherIPv6LeadsBeyondItsLink(t *testing.T) {
	for _, c := range []struct {
		facts Facts
		want  bool
	}{
		{Facts{}, false},
		{Facts{IPv6Default: true}, true},
		{Facts{Addrs: addrs("2001:db8::1/64")}, true},
		{Facts{Addrs: addrs("fd00::1/64")}, true},
		{Facts{Addrs: addrs("192.0.2.1/24")}, false},
		{Facts{Addrs: addrs("::1/128")}, false},
		{Facts{Addrs: addrs("::6/128")}, false},
		{Facts{Addrs: addrs("fe80::1/64")}, false},
		{Facts{Addrs: addrs("ff02::1/128")}, false},
		{Facts{Addrs: addrs("::1/128", "fe80::1/64", "2001:db8::1/64")}, true},
	} {
		if got := c.facts.ReachesIPv6(); got != c.want {
			t.Errorf("%+v: got %t, want %t", c.facts, got, c.want)
		}
	}
}

func TestFactsSayTheAddressesThatAreTheNamespacesOwn(t *testing.T) {
	f := Facts{Addrs: addrs("2001:db8::1/64", "127.0.0.1/8", "::1/128", "192.0.2.9/24", "::6/128", "192.0.2.1/24", "192.0.2.9/32")}
	const want = "[192.0.2.1 192.0.2.9 2001:db8::1]"
	if got := fmt.Sprint(f.IPs()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
