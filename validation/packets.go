package validation

import (
	"net/netip"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// ways pairs destinations with ports: every port for the first destination,
// the first port for the others, since no setting looks at both together.
func ways(addrs []netip.Addr, ports []iptables.Port, visit func(netip.Addr, iptables.Port)) {
	for i, a := range addrs {
		n := 1
		if i == 0 {
			n = len(ports)
		}
		for _, port := range ports[:n] {
			visit(a, port)
		}
	}
}

// farProbes leave by the pod's interface.
func (p plan) farProbes(ids []Identity) (probes []Probe) {
	for _, id := range ids {
		ways(farAddrs(p.Config, p.family), outboundPorts(p.Config, p.facts), func(to netip.Addr, port iptables.Port) {
			probes = append(probes, p.leaving(id, p.family.Interface, iptables.ProtoTCP, p.family.Addr, to, port))
		})
		to := farAddrs(p.Config, p.family)[0]
		probes = append(probes, p.leaving(id, p.family.Interface, iptables.ProtoUDP, p.family.Addr, to, p.facts.ProbePort))
	}
	return probes
}

// nearProbes leave by lo, also for ports that only arriving connections are
// asked about: in TPROXY mode the proxy's own calls meet the inbound settings.
func (p plan) nearProbes(ids []Identity) (probes []Probe) {
	addrs := nearAddrs(p.Config, p.family)
	last := len(addrs) - 1
	addrs[0], addrs[last] = addrs[last], addrs[0] // the pod's own address first
	ports := distinct(p.Config, append(outboundPorts(p.Config, p.facts), inboundPorts(p.Config, p.facts)...))
	for _, id := range ids {
		ways(addrs, ports, func(to netip.Addr, port iptables.Port) {
			probes = append(probes, p.leaving(id, "lo", iptables.ProtoTCP, p.source(to), to, port))
		})
	}
	return probes
}

// handedProbes come from 127.0.0.6 or ::6, and in TPROXY mode from anywhere with
// the inbound mark, as when the proxy calls the application. No rule asks who
// sent them.
func (p plan) handedProbes(ids []Identity) (probes []Probe) {
	ports := []iptables.Port{p.facts.ProbePort, dnsPort, p.capturedPort()}
	addrs := nearAddrs(p.Config, p.family)
	if p.DNSOf(p.family.Family).On() {
		addrs = append(addrs, p.someResolver())
	}
	for _, id := range ids {
		for _, to := range addrs {
			for _, port := range ports {
				probes = append(probes, p.leaving(id, "lo", iptables.ProtoTCP, builder.Passthrough(p.family.Family), to, port))
				if p.Mode != builder.TProxyMode || !p.facts.NetAdmin {
					continue
				}
				marked := p.leaving(id, "lo", iptables.ProtoTCP, p.source(to), to, port).Packet
				marked.Mark = uint32(p.TProxyMark)
				probes = append(probes, p.decided(id, marked))
			}
		}
	}
	return probes
}

// capturedPort is an inbound port that is captured, if any is.
func (p plan) capturedPort() iptables.Port {
	for _, port := range inboundPorts(p.Config, p.facts) {
		if p.Inbound.Captures(port) && port != p.TunnelPort {
			return port
		}
	}
	return p.facts.ProbePort
}

// lookups are queries by UDP and TCP to each resolver, and to one that is none.
func (p plan) lookups(ids []Identity) (probes []Probe) {
	to := append(resolvers(p.Config, p.family), documented(p.family.Family).server)
	for _, id := range ids {
		for _, proto := range []uint8{iptables.ProtoUDP, iptables.ProtoTCP} {
			for _, addr := range to {
				probes = append(probes, p.leaving(id, "lo", proto, p.source(addr), addr, dnsPort))
			}
			if p.family.Family == iptables.V4 && p.noFarPackets() == "" {
				for _, addr := range usable(to, p.family) {
					probes = append(probes, p.leaving(id, p.family.Interface, proto, p.family.Addr, addr, dnsPort))
				}
			}
		}
	}
	return probes
}

// sharedPorts are queries of the application and a proxy to one resolver from
// one source port, in both orders: without conntrack zones the second follows
// the first.
func (p plan) sharedPorts() (probes []Probe) {
	apps, proxies := p.parted()
	if len(apps) == 0 {
		return nil
	}
	to := p.someResolver()
	port := iptables.Port(firstPort)
	for _, proto := range []uint8{iptables.ProtoUDP, iptables.ProtoTCP} {
		for _, proxy := range proxies[:min(len(proxies), most)] {
			for _, order := range [][]Identity{{apps[0], proxy}, {proxy, apps[0]}} {
				port--
				for _, id := range order {
					packet := p.leaving(id, "lo", proto, p.source(to), to, dnsPort).Packet
					packet.SrcPort = port
					probes = append(probes, p.decided(id, packet))
				}
			}
		}
	}
	return probes
}

func (p plan) someResolver() netip.Addr {
	return append(resolvers(p.Config, p.family), documented(p.family.Family).server)[0]
}

// agentAnswers are two packets each: the application asks, and the agent, which
// may be any proxy owner, answers. The client must see the resolver.
func (p plan) agentAnswers() (probes []Probe) {
	apps, proxies := p.parted()
	if len(apps) == 0 {
		return nil
	}
	to := p.someResolver()
	port := iptables.Port(firstPort - 4*most - 1)
	for _, proto := range []uint8{iptables.ProtoUDP, iptables.ProtoTCP} {
		for _, proxy := range proxies[:min(len(proxies), most)] {
			port--
			query := p.leaving(apps[0], "lo", proto, p.source(to), to, dnsPort).Packet
			query.SrcPort = port
			answer := iptables.Packet{
				Protocol: proto, Src: loopback(p.family.Family), SrcPort: p.DNSPort, Dst: query.Src, DstPort: port,
				Out: "lo", Owner: proxy.owner(), Reply: true,
			}
			probes = append(probes, p.decided(apps[0], query), Probe{As: proxy, Packet: answer, Path: iptables.Leaving,
				Want: Answered, Origin: netip.AddrPortFrom(to, uint16(dnsPort))})
		}
	}
	return probes
}

// arrivals come from outside: by the pod's interface, but for IPv6 in REDIRECT
// mode, whose packets can only be put on lo. There they have no interface that
// a setting could name.
func (p plan) arrivals() (probes []Probe) {
	from := append([]netip.Addr{documented(p.family.Family).client}, usable(corners(p.ExcludeInboundCIDRs.Of(p.family.Family)), p.family)...)
	to, by := p.family.Addr, p.family.Interface
	switch {
	case p.family.Family == iptables.V6 && p.TProxied():
		to = allHosts(iptables.V6)
	case p.family.Family == iptables.V6:
		by = ""
	}
	ways(from, inboundPorts(p.Config, p.facts), func(src netip.Addr, port iptables.Port) {
		packet := iptables.Packet{Protocol: iptables.ProtoTCP, Src: src, Dst: to, DstPort: port, In: by}
		probes = append(probes, p.arrived(packet))
	})
	if p.DropInvalid {
		packet := iptables.Packet{Protocol: iptables.ProtoTCP, Src: from[0], Dst: to, DstPort: p.capturedPort(), In: by, State: iptables.StateInvalid}
		probes = append(probes, p.arrived(packet))
	}
	return probes
}

func (p plan) arrived(packet iptables.Packet) Probe {
	return Probe{As: p.sender(), Packet: packet, Path: iptables.Arriving, Want: builder.Decide(p.Config, packet, iptables.Arriving)}
}

// sender puts arriving packets on the wire: the proxy, whose packets are left
// alone on their way out.
func (p plan) sender() Identity {
	if _, proxies := p.parted(); len(proxies) > 0 {
		return proxies[0]
	}
	return Identity{"nobody of the proxy", p.facts.UID, p.facts.GID}
}

// answers are two packets each: the proxy calls the application from a client's
// address, and the application answers that client.
func (p plan) answers() []Probe {
	apps, proxies := p.parted()
	if len(apps) == 0 || len(proxies) == 0 {
		return nil
	}
	client := documented(p.family.Family).client
	call := p.leaving(proxies[0], "lo", iptables.ProtoTCP, client, p.family.Addr, p.facts.ProbePort).Packet
	call.Mark, call.SrcPort = uint32(p.TProxyMark), firstPort-6*most-2
	answer := iptables.Packet{
		Protocol: iptables.ProtoTCP, Src: call.Dst, SrcPort: call.DstPort, Dst: client, DstPort: call.SrcPort,
		Out: p.family.Interface, Owner: apps[0].owner(), Reply: true,
	}
	return []Probe{p.decided(proxies[0], call), {As: apps[0], Packet: answer, Path: iptables.Leaving, Want: Returned}}
}

// firstPort is the first source port of packets that need none of their own.
const firstPort = 20000
