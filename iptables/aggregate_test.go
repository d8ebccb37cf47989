package iptables

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestAggregateIsTheShortestListOfTheSameAddresses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8"},
		{"10.1.0.0/16 10.0.0.0/8 10.1.2.3/32", "10.0.0.0/8"},
		{"192.0.2.2/32 192.0.2.1/32", "192.0.2.1/32 192.0.2.2/32"},
		{"192.0.2.77/24", "192.0.2.0/24"},
		{"192.0.2.0/31 192.0.2.1/32 192.0.2.3/32", "192.0.2.0/31 192.0.2.3/32"},
		{"192.0.2.0/24 192.0.3.0/25", "192.0.2.0/24 192.0.3.0/25"},
		{"192.0.2.128/25 192.0.3.0/24", "192.0.2.128/25 192.0.3.0/24"},
		{"0.0.0.0/1 128.0.0.0/1 ::/0", "0.0.0.0/0 ::/0"},
		{"2001:db8:1::/48 2001:db8::/48", "2001:db8::/47"},
		{"255.255.255.255/32 ::/128", "255.255.255.255/32 ::/128"},
		{"255.255.255.254/32 255.255.255.255/32", "255.255.255.254/31"},
	} {
		if got := texts(Aggregate(prefixes(c.in))); got != c.want {
			t.Errorf("Aggregate(%s) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAggregateKeepsEveryAddressAndAddsNone(t *testing.T) {
	in := prefixes("192.0.2.3/32 192.0.2.4/30 192.0.2.9/32 192.0.2.10/31 192.0.2.64/26 192.0.2.96/28")
	out := Aggregate(in)
	for i := range 256 {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		if got, want := anyContains(out, a), anyContains(in, a); got != want {
			t.Errorf("%s in %v: %v, want %v", a, out, got, want)
		}
	}
}

func prefixes(text string) []netip.Prefix {
	var out []netip.Prefix
	for _, f := range strings.Fields(text) {
		out = append(out, netip.MustParsePrefix(f))
	}
	return out
}

func texts(ps []netip.Prefix) string { return strings.Trim(fmt.Sprint(ps), "[]") }

func anyContains(ps []netip.Prefix, a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
