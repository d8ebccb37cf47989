package netns

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func look(t *testing.T, name string) Facts {
	t.Helper()
	var f Facts
	must(t, open(t, name).Do(func() error {
		c, err := Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		f, err = c.Look(context.Background())
		return err
	}))
	return f
}

// summary is the part of the facts that chooses families.
func summary(f Facts) string {
	return fmt.Sprintf("%s off=%v lo up=%t lo6=%t reaches=%t ips=%v", f.IPv6, f.IPv6Off, f.LoUp(), f.LoHasIPv6(), f.ReachesIPv6(), f.IPs())
}

func TestFactsAreThoseOfTheNamespace(t *testing.T) {
	sysctl := func(dev string) string {
		return fmt.Sprintf("echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6; ", dev)
	}
	const bridge = "ip link set lo up; ip link add br0 type bridge; ip link set br0 up; "
	for _, c := range []struct{ setup, want string }{
		{"true", "enabled off=[] lo up=false lo6=true reaches=false ips=[]"},
		{"ip link set lo up; ip -6 addr add ::6/128 dev lo", "enabled off=[] lo up=true lo6=true reaches=false ips=[]"},
		{sysctl("all"), "disabled by sysctl off=[all default lo] lo up=false lo6=false reaches=false ips=[]"},
		{sysctl("lo"), "enabled off=[lo] lo up=false lo6=false reaches=false ips=[]"},
		{sysctl("lo") + sysctl("default"), "disabled by sysctl off=[default lo] lo up=false lo6=false reaches=false ips=[]"},
		{bridge + sysctl("all") + "echo 0 >/proc/sys/net/ipv6/conf/br0/disable_ipv6; ip addr add 192.0.2.7/24 dev br0",
			"enabled off=[all default lo] lo up=true lo6=false reaches=false ips=[192.0.2.7]"},
		{bridge + "ip -6 addr add fe80::5/64 dev br0 nodad", "enabled off=[] lo up=true lo6=true reaches=false ips=[fe80::5]"},
		{bridge + "ip -6 addr add 2001:db8::5/64 dev br0 nodad; ip addr add 192.0.2.7/24 dev br0",
			"enabled off=[] lo up=true lo6=true reaches=true ips=[192.0.2.7 2001:db8::5]"},
		{bridge + "ip -6 route add default dev br0", "enabled off=[] lo up=true lo6=true reaches=true ips=[]"},
		{bridge + "ip -6 route add unreachable default metric 9; ip -6 route add local default dev lo table 133",
			"enabled off=[] lo up=true lo6=true reaches=false ips=[]"},
	} {
		name := fresh(t)
		in(t, name, c.setup)
		got := summary(look(t, name))
		// the bridge may or may not have made its own link-local address yet
		same(t, c.setup, dropMade(got), c.want)
	}
}

// dropMade removes the link-local address that the kernel makes for a bridge.
func dropMade(s string) string {
	head, ips, _ := strings.Cut(s, "ips=[")
	var kept []string
	for _, ip := range strings.Fields(strings.TrimSuffix(ips, "]")) {
		if !strings.HasPrefix(ip, "fe80::") || ip == "fe80::5" {
			kept = append(kept, ip)
		}
	}
	return head + "ips=[" + strings.Join(kept, " ") + "]"
}

func TestFactsNameInterfacesAndTheirAddresses(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link add br0 type bridge; ip addr add 192.0.2.7/24 dev br0")
	f := look(t, name)
	same(t, "links", f.Links[0].Name+" "+f.Links[len(f.Links)-1].Name, "lo br0")
	same(t, "up", f.Links[len(f.Links)-1].Up, false)
	same(t, "addresses", f.Addrs, "[ip -4 addr add 192.0.2.7/24 dev br0]")
}
