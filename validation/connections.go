package validation

import (
	"net/netip"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// connections are the TCP probes with a secret both ways. Those over lo cannot
// leave; the one beyond the pod is only tried if packets can go before it.
func (p plan) connections() []Check {
	apps, proxies := p.parted()
	connect := func(name, impossible string, probes []Probe) Check {
		return p.check(Connections, name, or(p.noListeners(), impossible), probes)
	}
	checks := []Check{
		connect(nameOutbound, p.noOutbound(apps), p.guarded(apps)),
		connect(nameLocal, p.nobody(apps), p.real(p.nearProbes(apps))),
		connect(nameSelfCall, p.nobody(proxies), p.real(p.nearProbes(proxies))),
		connect(nameHanded, "", p.real(p.handedProbes(p.ids))),
	}
	if p.DNSOf(p.family.Family).On() {
		checks = append(checks, connect(nameDNS, p.noLookups(), p.real(p.realLookups(iptables.ProtoTCP))))
	}
	return checks
}

// queries are the UDP probes.
func (p plan) queries() []Check {
	if !p.DNSOf(p.family.Family).On() {
		return nil
	}
	return []Check{p.check(Queries, nameDNS, or(p.noListeners(), p.noLookups()), p.realLookups(iptables.ProtoUDP))}
}

func (p plan) noListeners() string {
	if p.facts.Attach {
		return "the proxy itself listens"
	}
	return ""
}

func (p plan) nobody(ids []Identity) string {
	if len(ids) == 0 {
		return p.noIDs()
	}
	return ""
}

func (p plan) noOutbound(apps []Identity) string {
	switch {
	case len(apps) == 0:
		return "it runs as the proxy, whose calls are never captured; " + p.noIDs()
	case !p.facts.NetRaw:
		return "without CAP_NET_RAW it can't be known beforehand that the connection stays in the pod"
	case p.noFarPackets() != "":
		return p.noFarPackets()
	case len(p.guarded(apps)) == 0:
		return "these settings capture no documentation address"
	}
	return ""
}

// guarded are calls to a documentation address that must be captured.
func (p plan) guarded(apps []Identity) (probes []Probe) {
	server := documented(p.family.Family).server
	for _, id := range apps {
		for _, port := range outboundPorts(p.Config, p.facts) {
			probe := p.leaving(id, p.family.Interface, iptables.ProtoTCP, p.family.Addr, server, port)
			if probe.Want == builder.ToOut {
				probes = append(probes, probe)
				break // one for each identity: the packets know the rest
			}
		}
	}
	return probes
}

// real are the probes that a socket of this process can be: what TPROXY takes
// needs a transparent listener, and a mark a capability.
func (p plan) real(all []Probe) (probes []Probe) {
	for _, probe := range all {
		bound := probe.Packet.Src == builder.Passthrough(p.family.Family)
		switch {
		case probe.Want == builder.ToIn && p.noTransparent() != "":
		case probe.Want == builder.ToDNS && probe.Packet.Src != loopback(p.family.Family):
			// see realLookups
		case !p.local(probe.Packet.Dst) && probe.Packet.Dst != builder.Passthrough(p.family.Family):
		case bound && !p.family.Passthrough:
		default:
			probes = append(probes, probe)
		}
	}
	return probes
}

func (p plan) noLookups() string {
	if len(p.realLookups(iptables.ProtoUDP)) == 0 {
		return "an IPv6 query to a listed resolver would leave the pod if it were not captured"
	}
	return ""
}

// realLookups go to a resolver by lo: IPv4 takes any destination that way from
// a socket bound to lo, IPv6 only the pod's own addresses. They come from the
// loopback address: a packet to the pod's own counts as received by the
// interface that has it, even over lo (net/ipv4/route.c, rt_iif), so a socket
// bound to lo would miss the answer, and a reset might leave the pod.
func (p plan) realLookups(proto uint8) (probes []Probe) {
	for _, to := range p.lookupTargets() {
		for _, id := range p.ids {
			probe := p.leaving(id, "lo", proto, loopback(p.family.Family), to, dnsPort)
			if proto == iptables.ProtoTCP && probe.Want == builder.Direct && (!p.local(to) || to.Is6()) {
				continue // no refusal comes back, from nobody or to ::1: silence proves nothing
			}
			probes = append(probes, probe)
		}
	}
	return probes
}

func (p plan) lookupTargets() []netip.Addr {
	dns := p.DNSOf(p.family.Family)
	switch {
	case dns.All && p.family.Addr.IsValid():
		return []netip.Addr{p.family.Addr}
	case p.family.Family == iptables.V6:
		return nil
	case dns.All:
		return []netip.Addr{documented(iptables.V4).server}
	}
	return resolvers(p.Config, p.family)
}

func (p plan) local(to netip.Addr) bool { return to == p.family.Addr || to.IsLoopback() }
