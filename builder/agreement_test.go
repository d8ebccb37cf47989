package builder

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/iptables"
)

var (
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random settings and packets")
	rounds = flag.Int("rounds", 3000, "random settings to try")
)

// verdictOf sends a packet through rules as the kernel would: what leaves by
// lo and is not captured arrives by lo.
func verdictOf(c Config, rules iptables.Ruleset, p iptables.Packet, path iptables.Path) Verdict {
	out := rules.Trace(p, path, nil)
	if path == iptables.Leaving && p.Out == "lo" && out.Fate == iptables.Passed {
		p.In, p.Out, p.Owner = "lo", "", nil
		p.Mark, p.ConnMark = out.Mark, out.ConnMark
		out = rules.Trace(p, iptables.Arriving, nil)
	}
	switch {
	case out.Fate == iptables.Passed:
		return Direct
	case out.Fate == iptables.Dropped:
		return Dropped
	case out.Port == c.InboundPort:
		return ToIn
	case out.Port == c.OutboundPort && out.Fate == iptables.Redirected:
		return ToOut
	case out.Port == c.DNSPort && out.Fate == iptables.Redirected:
		return ToDNS
	}
	return Verdict(fmt.Sprintf("fate %d port %d", out.Fate, out.Port))
}

func TestRulesDecideAsThePolicyOnRandomPackets(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	seen := map[Verdict]int{}
	for range *rounds {
		c := randomConfig(r)
		for _, f := range iptables.Families() {
			rules := Build(c, f)
			if err := rules.Validate(); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			for range 60 {
				p, path := randomPacket(r, c, f)
				want := Decide(c, p, path)
				seen[want]++
				if got := verdictOf(c, rules, p, path); got != want {
					t.Fatalf("path %d packet %+v owner %+v: rules say %s, policy says %s\n%+v\n%s", path, p, p.Owner, got, want, c, iptables.Render(rules))
				}
			}
		}
	}
	for _, v := range []Verdict{Direct, ToIn, ToOut, ToDNS, Dropped} {
		if seen[v] < *rounds/10 {
			t.Errorf("only %d packets had the verdict %s: the random packets miss their mark", seen[v], v)
		}
	}
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func some[T any](r *rand.Rand, list ...T) []T {
	var out []T
	for _, x := range list {
		if r.IntN(3) == 0 {
			out = append(out, x)
		}
	}
	return out
}

func randomConfig(r *rand.Rand) Config {
	c := Default()
	c.Mode = pick(r, RedirectMode, RedirectMode, TProxyMode, TProxyMode, NoneMode)
	if r.IntN(10) > 0 && c.Mode == NoneMode {
		c.Mode = RedirectMode
	}
	c.ProxyUIDs = pick(r, IDs{{First: 1337, Last: 1337}}, IDs{{First: 1337, Last: 1337}, {First: 2000, Last: 2002}}, IDs{{First: 0, Last: 0}})
	c.ProxyGIDs = pick(r, IDs{{First: 1337, Last: 1337}}, IDs{{First: 1337, Last: 1337}, {First: 202, Last: 202}})
	c.Inbound = InboundPorts{Except: r.IntN(2) == 0, Ports: randomPorts(r)}
	c.ExcludeInboundCIDRs = randomCIDRs(r, false)
	c.ExcludeOutboundPorts = randomPorts(r)
	c.IncludeOutboundPorts = randomPorts(r)
	if r.IntN(8) == 0 {
		c.IncludeOutboundPorts = Ports{All: true}
	}
	c.IncludeCIDRs = randomCIDRs(r, true)
	c.ExcludeCIDRs = randomCIDRs(r, false)
	c.ExcludeInterfaces = some(r, Interface("eth1"), Interface("net+"))
	if r.IntN(15) == 0 {
		c.ExcludeInterfaces = append(c.ExcludeInterfaces, "lo")
	}
	c.VirtualInterfaces = some(r, Interface("k6t+"), Interface("eth1"))
	for range r.IntN(3) {
		c.ExcludePortsForUIDs = append(c.ExcludePortsForUIDs, UIDExclusion{
			pick(r, iptables.ProtoTCP, iptables.ProtoUDP), Ports{Ranges: []iptables.PortRange{{First: 53, Last: 80}}}, IDs{{First: 1000, Last: 1001}},
		})
	}
	c.OwnerGroups = pick(r, Groups{}, Groups{}, Groups{Listed: true, Include: IDs{{First: 100, Last: 100}, {First: 202, Last: 202}}}, Groups{Listed: true})
	c.ExcludeOwnerGroups = some(r, iptables.IDRange{First: 300, Last: 301})
	c.Loopback = Loopback(netip.MustParsePrefix(pick(r, "127.0.0.1/32", "127.0.0.0/8")))
	c.DNS = pick(r, DNS{}, DNS{All: true}, DNS{Servers: []Resolver{
		{Addr: netip.MustParseAddr("192.0.2.53")}, {Addr: netip.MustParseAddr("127.0.0.1")}, {netip.MustParseAddr("fe80::1"), "eth0"}, {Addr: netip.MustParseAddr("2001:db8::53")},
	}})
	c.DropInvalid = r.IntN(3) == 0
	c.Comments, c.LogRules = r.IntN(4) == 0, r.IntN(4) == 0
	return c
}

func randomPorts(r *rand.Rand) Ports {
	if r.IntN(12) == 0 {
		return Ports{}
	}
	var list []iptables.PortRange
	for _, p := range some(r, 22, 53, 80, 443, 8080, 9090, 15008, 15020, 15021, 15090) {
		list = append(list, iptables.PortRange{First: iptables.Port(p), Last: iptables.Port(p + pick(r, 0, 0, 0, 5))})
	}
	return Ports{Ranges: mergeRanges(list)}
}

func randomCIDRs(r *rand.Rand, wildcard bool) CIDRs {
	if wildcard && r.IntN(3) == 0 {
		return CIDRs{All: true}
	}
	var c CIDRs
	for _, s := range some(r, "192.0.2.0/24", "198.51.100.7/32", "127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "2001:db8::7/128", "::1/128", "fe80::/10") {
		c.Prefixes = append(c.Prefixes, netip.MustParsePrefix(s))
	}
	return c
}

func randomPacket(r *rand.Rand, c Config, f iptables.Family) (iptables.Packet, iptables.Path) {
	addrs := []string{"127.0.0.1", "127.0.0.2", "127.0.0.6", "192.0.2.5", "192.0.2.53", "198.51.100.7", "10.1.1.1", "203.0.113.9"}
	if f == iptables.V6 {
		addrs = []string{"::1", "::6", "2001:db8::5", "2001:db8::53", "2001:db8::7", "fe80::1", "fd00::1"}
	}
	p := iptables.Packet{
		Protocol: pick(r, iptables.ProtoTCP, iptables.ProtoTCP, iptables.ProtoTCP, iptables.ProtoUDP, iptables.ProtoICMP),
		Src:      netip.MustParseAddr(pick(r, addrs...)),
		Dst:      netip.MustParseAddr(pick(r, addrs...)),
		Mark:     pick(r, 0, 0, 0, uint32(c.TProxyMark), iptables.SelfCallMark),
		State:    iptables.StateNew,
	}
	if p.Protocol != iptables.ProtoICMP {
		p.SrcPort = 40000
		p.DstPort = pick[iptables.Port](r, 22, 53, 80, 443, 8080, 8081, 15008, 15020, 15021, 15090, 1, 65535)
	}
	iface := pick(r, "eth0", "eth0", "eth1", "net1", "net", "lo", "lo", "k6t-a")
	if r.IntN(2) == 0 {
		p.In = iface
		p.State = pick(r, iptables.StateNew, iptables.StateNew, iptables.StateNew, iptables.StateInvalid)
		if p.State == iptables.StateInvalid && !c.DropInvalid { // the policy speaks of connections
			p.State = iptables.StateNew
		}
		p.Reply = p.State == iptables.StateNew && r.IntN(6) == 0
		if p.Reply {
			p.State = iptables.StateEstablished
		}
		return p, iptables.Arriving
	}
	p.Out = iface
	if p.Mark == iptables.SelfCallMark { // only our own rules set it; a process would need NET_ADMIN to pretend
		p.Mark = 0
	}
	if r.IntN(8) > 0 {
		p.Owner = &iptables.Owner{UID: pick[uint32](r, 0, 1000, 1001, 1337, 2001), GID: pick[uint32](r, 0, 100, 202, 300, 1337)}
	}
	seldom(r, c, &p)
	return p, iptables.Leaving
}

// seldom makes some packets into what chance alone seldom makes: the proxy's to
// its own pod, and an application's queries.
func seldom(r *rand.Rand, c Config, p *iptables.Packet) {
	switch r.IntN(8) {
	case 0:
		owner := pick(r, iptables.Owner{UID: c.ProxyUIDs[0].First}, iptables.Owner{UID: 1000, GID: c.ProxyGIDs[0].First})
		p.Out, p.Owner = "lo", &owner
	case 1:
		p.Protocol, p.DstPort = pick(r, iptables.ProtoTCP, iptables.ProtoUDP), dnsPort
		p.Out, p.Owner = pick(r, "eth0", "eth0", "eth2"), &iptables.Owner{UID: 1500, GID: pick[uint32](r, 100, 300)}
		if of := c.DNS.Of(p.Family()).Servers; len(of) > 0 {
			p.Dst = pick(r, of...).Addr
		}
	}
}
