package builder

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// onRandomPackets decides random packets under random settings by the rules.
func onRandomPackets(t *testing.T, stream uint64, try func(*rand.Rand, Config, iptables.Packet, iptables.Path)) {
	t.Helper()
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, stream))
	for range max(*rounds/10, 60) { // each packet has rules built for it alone
		c := randomConfig(r)
		for _, f := range iptables.Families() {
			for range 10 {
				p, path := randomPacket(r, c, f)
				try(r, c, p, path)
			}
		}
	}
}

// byRules is the verdict of the rendered rules, not of the policy.
func byRules(c Config, p iptables.Packet, path iptables.Path) Verdict {
	return verdictOf(c, Build(c, p.Family()), p, path)
}

func TestTheProxyIsNeverLoopedExceptIntoInOnASelfCall(t *testing.T) {
	selfCalls := 0
	onRandomPackets(t, 5, func(_ *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		if path != iptables.Leaving || !c.IsProxy(p.Owner) {
			return
		}
		switch v := byRules(c, p, path); {
		case v == Direct:
		case v == ToIn && p.Out == "lo":
			selfCalls++
		default:
			t.Fatalf("packet %+v of the proxy %+v goes to %s", p, p.Owner, v)
		}
	})
	if selfCalls == 0 {
		t.Error("no packet was a self-call: the random packets miss their mark")
	}
}

func TestModeNoneLeavesEverythingAlone(t *testing.T) {
	onRandomPackets(t, 8, func(_ *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		c.Mode = NoneMode
		if rules := Build(c, p.Family()); len(rules.Chains) > 0 {
			t.Fatalf("got rules, want none:\n%s", iptables.Render(rules))
		}
		if v := Decide(c, p, path); v != Direct {
			t.Fatalf("packet %+v: the policy says %s, want %s", p, v, Direct)
		}
	})
}

func TestNothingIsDroppedUnlessAskedFor(t *testing.T) {
	onRandomPackets(t, 9, func(_ *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		c.DropInvalid, p.State, p.Reply = false, iptables.StateInvalid, false
		if v, r := Decide(c, p, path), byRules(c, p, path); v == Dropped || r == Dropped {
			t.Fatalf("packet %+v: the policy says %s, the rules say %s", p, v, r)
		}
	})
}

func TestAnAddedExclusionNeverCapturesMore(t *testing.T) {
	freed := 0
	onRandomPackets(t, 6, func(r *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		before := byRules(c, p, path)
		after := byRules(withExclusion(r, c, p), p, path)
		switch {
		case before == Direct && after != Direct:
			t.Fatalf("packet %+v was left alone and goes to %s since an exclusion was added to %+v", p, after, c)
		case before != Direct && after == Direct:
			freed++
		}
	})
	if freed == 0 {
		t.Error("no exclusion had any effect: the test proves nothing")
	}
}

// withExclusion adds one exclusion, as a rule one that concerns the packet.
func withExclusion(r *rand.Rand, c Config, p iptables.Packet) Config {
	port := Ports{Ranges: []iptables.PortRange{iptables.OnePort(max(p.DstPort, 1))}}
	switch r.IntN(6) {
	case 0:
		c.ExcludeOutboundPorts.Ranges = mergeRanges(append(slices.Clip(c.ExcludeOutboundPorts.Ranges), port.Ranges...))
	case 1:
		c.ExcludeCIDRs.Prefixes = append(slices.Clip(c.ExcludeCIDRs.Prefixes), iptables.Host(p.Dst))
	case 2:
		c.ExcludeInboundCIDRs.Prefixes = append(slices.Clip(c.ExcludeInboundCIDRs.Prefixes), iptables.Host(p.Src))
	case 3:
		c.ExcludeInterfaces = append(slices.Clip(c.ExcludeInterfaces), Interface(p.In+p.Out))
	case 4:
		c.ExcludePortsForUIDs = append(slices.Clip(c.ExcludePortsForUIDs),
			UIDExclusion{iptables.ProtoTCP, port, IDs{{First: 0, Last: 65535}}})
	default:
		c.ExcludeOwnerGroups = append(slices.Clip(c.ExcludeOwnerGroups), iptables.IDRange{First: 0, Last: 65535})
	}
	return c
}

func TestBothFamiliesDecideAlikeUnderMappedSettings(t *testing.T) {
	seen := map[Verdict]int{}
	onRandomPackets(t, 7, func(_ *rand.Rand, c Config, p iptables.Packet, path iptables.Path) {
		if p.Family() != iptables.V4 {
			return
		}
		c.Loopback = Default().Loopback // IPv6 has no wider one
		v4 := byRules(c, p, path)
		seen[v4]++
		p.Src, p.Dst = sixth(p.Src), sixth(p.Dst)
		if v6 := byRules(mappedConfig(c), p, path); v6 != v4 {
			t.Fatalf("packet %+v: IPv4 says %s, IPv6 says %s\n%+v", p, v4, v6, c)
		}
	})
	for _, v := range []Verdict{Direct, ToIn, ToOut, ToDNS, Dropped} {
		if seen[v] == 0 {
			t.Errorf("no packet had the verdict %s", v)
		}
	}
}

// sixth maps an IPv4 address to IPv6 (RFC 6052), and the special ones to theirs.
func sixth(a netip.Addr) netip.Addr {
	switch {
	case !a.Is4():
		return a
	case a == Passthrough(iptables.V4):
		return Passthrough(iptables.V6)
	case a == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		return netip.IPv6Loopback()
	}
	out := [16]byte{0, 0x64, 0xff, 0x9b}
	b := a.As4()
	copy(out[12:], b[:])
	return netip.AddrFrom16(out)
}

func sixthPrefixes(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		if !p.Addr().Is4() {
			continue
		}
		out = append(out, netip.PrefixFrom(sixth(p.Addr()), p.Bits()+96))
		if p.Addr().IsLoopback() { // IPv6's loopback range has one address, and ::6 is no part of it
			out = append(out, iptables.Host(netip.IPv6Loopback()), iptables.Host(Passthrough(iptables.V6)))
		}
	}
	return out
}

func mappedConfig(c Config) Config {
	for _, set := range []*CIDRs{&c.IncludeCIDRs, &c.ExcludeCIDRs, &c.ExcludeInboundCIDRs} {
		set.Prefixes = sixthPrefixes(set.Prefixes)
	}
	var servers []Resolver
	for _, s := range c.DNS.Servers {
		if s.Addr.Is4() {
			servers = append(servers, Resolver{Addr: sixth(s.Addr), Interface: s.Interface})
		}
	}
	c.DNS.Servers = servers
	return c
}
