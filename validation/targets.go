package validation

import (
	"net/netip"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

const dnsPort iptables.Port = 53

// outboundPorts are those whose fate settings decide, and their neighbours.
func outboundPorts(c builder.Config, f Facts) []iptables.Port {
	list := []iptables.Port{f.ProbePort, c.TunnelPort, c.TunnelPort + 1, dnsPort}
	list = append(list, edges(c.ExcludeOutboundPorts)...)
	list = append(list, edges(c.IncludeOutboundPorts)...)
	for _, x := range c.ExcludePortsForUIDs {
		list = append(list, edges(x.Ports)...)
	}
	return distinct(c, list)
}

// inboundPorts are the same for what arrives.
func inboundPorts(c builder.Config, f Facts) []iptables.Port {
	return distinct(c, append([]iptables.Port{f.ProbePort, c.TunnelPort, c.TunnelPort - 1}, edges(c.Inbound.Ports)...))
}

// edges are the first and last ports of each range, and those beside them.
func edges(p builder.Ports) []iptables.Port {
	var list []iptables.Port
	for _, r := range p.Ranges[:min(len(p.Ranges), most)] {
		list = append(list, r.First-1, r.First, r.Last, r.Last+1)
	}
	return list
}

// distinct leaves out what is no port, and the proxy's own ports: there a
// redirected packet looks like one that was left alone.
func distinct(c builder.Config, list []iptables.Port) []iptables.Port {
	seen := map[iptables.Port]bool{0: true, c.InboundPort: true, c.OutboundPort: true, c.DNSPort: true}
	var kept []iptables.Port
	for _, p := range list {
		if !seen[p] {
			seen[p] = true
			kept = append(kept, p)
		}
	}
	return kept
}

// corners are the first and last addresses of the prefixes, and those beside.
func corners(list []netip.Prefix) []netip.Addr {
	var addrs []netip.Addr
	for _, p := range list[:min(len(list), most)] {
		first, last := p.Masked().Addr(), lastAddr(p)
		addrs = append(addrs, first.Prev(), first, last, last.Next())
	}
	return addrs
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// farAddrs are destinations beyond the pod, as packets may carry them: any
// IPv4 address, but only a confined one in IPv6.
func farAddrs(c builder.Config, f FamilyFacts) []netip.Addr {
	doc := documented(f.Family)
	if f.Family == iptables.V6 {
		return []netip.Addr{doc.confined}
	}
	addrs := append([]netip.Addr{doc.server}, corners(c.ExcludeCIDRs.Of(f.Family))...)
	addrs = append(addrs, corners(c.IncludeCIDRs.Of(f.Family))...)
	return usable(addrs, f)
}

// usable leaves out what is no unicast address beyond the pod.
func usable(addrs []netip.Addr, f FamilyFacts) []netip.Addr {
	seen := map[netip.Addr]bool{f.Addr: true}
	var kept []netip.Addr
	for _, a := range addrs {
		first := a.IsValid() && a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 224)
		if !a.IsValid() || first || a.IsLoopback() || a.IsMulticast() || a.IsUnspecified() || a.IsLinkLocalUnicast() || seen[a] {
			continue
		}
		seen[a] = true
		kept = append(kept, a)
	}
	return kept
}

// nearAddrs are destinations that lo carries.
func nearAddrs(c builder.Config, f FamilyFacts) []netip.Addr {
	addrs := []netip.Addr{c.Loopback.Of(f.Family).Addr()}
	if f.Family == iptables.V4 {
		addrs[0] = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if f.Passthrough {
		addrs = append(addrs, builder.Passthrough(f.Family))
	}
	if f.Addr.IsValid() {
		addrs = append(addrs, f.Addr)
	}
	return addrs
}

// resolvers are the destinations of queries, scoped ones left out.
func resolvers(c builder.Config, f FamilyFacts) []netip.Addr {
	var addrs []netip.Addr
	dns := c.DNSOf(f.Family)
	for _, r := range dns.Servers[:min(len(dns.Servers), most)] {
		if r.Interface == "" {
			addrs = append(addrs, r.Addr)
		}
	}
	return addrs
}
