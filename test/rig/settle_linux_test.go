package rig

import "testing"

func TestAnAddressWithoutItsRouteIsWaitedFor(t *testing.T) {
	n := NewNamespace(t, "x")
	n.IP("addr", "add", "2001:db8::9/128", "dev", "lo", "nodad")
	want := func(what string, want bool) {
		t.Helper()
		n.Do(func() {
			if got := settled(); got != want {
				t.Errorf("%s: got settled %v, want %v", what, got, want)
			}
		})
	}
	n.settle()
	want("after waiting", true)
	n.IP("-6", "route", "del", "table", "local", "2001:db8::9", "dev", "lo")
	want("without its route", false)
	n.IP("-6", "route", "add", "local", "2001:db8::9", "dev", "lo", "table", "local")
	want("with its route", true)
	n.IP("link", "add", "v0", "type", "veth", "peer", "name", "v1")
	n.IP("addr", "add", "2001:db8::a/64", "dev", "v0", "nodad")
	want("on an interface that is down", true)
	n.Sysctl("net/ipv6/conf/v1/accept_dad", "1")
	n.Sysctl("net/ipv6/conf/all/accept_dad", "1")
	n.IP("link", "set", "v0", "up")
	n.IP("link", "set", "v1", "up")
	n.IP("addr", "add", "2001:db8::b/64", "dev", "v1")
	want("tentative", false)
}
