package explain_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/explain"
)

func TestAKnownPlaceIsAskedInsteadOfAssumed(t *testing.T) {
	home := func(addr, iface string) explain.Home {
		return explain.Home{Addr: netip.MustParseAddr(addr), Interface: iface}
	}
	own := []explain.Home{home("fe80::1", "net1"), home("192.0.2.5", "net1"), home("192.0.2.6", "net2"), home("2001:db8::5", "net1")}
	for _, c := range []struct {
		name    string
		ask     explain.Asked
		out     explain.Home
		want    string
		assumed string // "" if nothing is assumed of addresses and interfaces
	}{
		{"its own address", explain.Asked{From: "proxy", To: "192.0.2.6:80"}, explain.Home{}, "to 192.0.2.6:80, leaving by lo", ""},
		{"itself", explain.Asked{From: "proxy", To: ":80"}, explain.Home{}, "to 192.0.2.5:80, leaving by lo", ""},
		{"far away", explain.Asked{From: "proxy", To: "198.51.100.1:80"}, home("192.0.2.6", "net2"), "leaving by net2", ""},
		{"without a route", explain.Asked{From: "proxy", To: "198.51.100.1:80"}, explain.Home{}, "leaving by eth0", "no route to 198.51.100.1"},
		{"by an interface of one's choice", explain.Asked{From: "proxy", To: "198.51.100.1:80", Interface: "x"}, home("192.0.2.6", "net2"), "leaving by x", ""},
		{"from outside", explain.Asked{In: true, To: "192.0.2.6:80", Source: "198.51.100.9"}, explain.Home{}, "arriving by net2", ""},
		{"from outside, IPv6", explain.Asked{In: true, To: "[2001:db8::5]:80", Source: "2001:db8::9"}, explain.Home{}, "arriving by net1", ""},
		{"from outside to another's address", explain.Asked{In: true, To: "203.0.113.1:80", Source: "198.51.100.9"}, explain.Home{}, "arriving by eth0", "arrives by eth0"},
	} {
		s := settings(t)
		s.Place = &explain.Place{Own: own, Out: c.out}
		a := ask(t, s, c.ask)
		if !strings.HasSuffix(a.Connection, c.want) {
			t.Errorf("%s: got %q, want %q at the end", c.name, a.Connection, c.want)
		}
		if got := strings.Join(a.Assumptions, "; "); c.assumed == "" && got != "" || !strings.Contains(got, c.assumed) {
			t.Errorf("%s: assumed %q, want %q", c.name, got, c.assumed)
		}
	}
}

func TestTheSourceIsTheOneThatTheRouteGives(t *testing.T) {
	s := settings(t)
	s.Place = &explain.Place{Out: explain.Home{Addr: netip.MustParseAddr("192.0.2.6"), Interface: "net2"}}
	steps := ask(t, s, explain.Asked{To: "198.51.100.1:80"}).Ways[0].Steps
	if !slices.ContainsFunc(steps, func(s explain.Step) bool { return s.WhyNot == "from 192.0.2.6, not 127.0.0.6" }) {
		t.Errorf("no step compares with 192.0.2.6: %+v", steps)
	}
}
