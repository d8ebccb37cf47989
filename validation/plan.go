package validation

import (
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// Plan lists what to check, in the order in which Run does it, with what each
// probe must see. What the process may not do, or what would leave the pod, is
// in the list too, with the reason. Mode NONE has nothing to check.
func Plan(c builder.Config, f Facts) []Check {
	if c.Mode == builder.NoneMode {
		return nil
	}
	var checks []Check
	for _, family := range f.Families {
		p := plan{c, f, family, identities(c, f)}
		checks = append(checks, p.listeners())
		checks = append(checks, p.routes()...)
		checks = append(checks, p.packets()...)
		checks = append(checks, p.connections()...)
		checks = append(checks, p.queries()...)
	}
	return slices.DeleteFunc(checks, triesNothing)
}

// triesNothing: these settings leave nothing to try of what the check is about.
func triesNothing(c Check) bool {
	return c.Kind != Listeners && c.Kind != Routes && c.Impossible == "" && len(c.Probes) == 0
}

// plan is one family's checks in the making.
type plan struct {
	builder.Config
	facts  Facts
	family FamilyFacts
	ids    []Identity
}

func (p plan) check(k Kind, name, impossible string, probes []Probe) Check {
	if impossible != "" {
		probes = nil
	}
	return Check{name, p.family.Family, k, probes, impossible}
}

func (p plan) listeners() Check {
	name := "ports of the proxy are free"
	if p.facts.Attach {
		name = "ports of the proxy are the proxy's"
	}
	return p.check(Listeners, name, "", nil)
}

func (p plan) routes() []Check {
	if !p.TProxied() {
		return nil
	}
	return []Check{p.check(Routes, "rule and route of the inbound mark", "", nil)}
}

// The names of what is proven, the same for packets and connections.
const (
	nameOutbound = "application calls out of the pod"
	nameBypass   = "proxy calls out of the pod"
	nameLocal    = "application calls within the pod"
	nameSelfCall = "proxy calls within the pod"
	nameHanded   = "calls handed over to the application"
	nameDNS      = "name lookups"
	nameZones    = "name lookups of application and proxy from one port"
	nameAgent    = "the agent's answers to name lookups"
	nameInbound  = "calls from outside"
	nameAnswers  = "answers to the client's address come back to the proxy"
	nameListed   = "application calls to listed IPv6 ranges"
)

func (p plan) packets() []Check {
	packet := func(name, impossible string, probes []Probe) Check { return p.check(Packets, name, impossible, probes) }
	far, near := p.noFarPackets(), p.noPackets()
	apps, proxies := p.parted()
	checks := []Check{
		packet(nameOutbound, or(far, p.nobody(apps)), p.farProbes(apps)),
		packet(nameBypass, or(far, p.nobody(proxies)), p.farProbes(proxies)),
		packet(nameLocal, or(near, p.nobody(apps)), p.nearProbes(apps)),
		packet(nameSelfCall, or(near, p.noTransparent(), p.nobody(proxies)), p.nearProbes(proxies)),
		packet(nameHanded, near, p.confined(p.handedProbes(p.ids))),
		packet(nameInbound, or(far, p.noTransparent(), p.noSender()), p.arrivals()),
	}
	if p.family.Family == iptables.V6 && len(p.IncludeCIDRs.Of(iptables.V6))+len(p.ExcludeCIDRs.Of(iptables.V6)) > 0 {
		checks = append(checks, packet(nameListed, "an IPv6 packet to such an address would leave the pod if it were not captured", nil))
	}
	if p.DNSOf(p.family.Family).On() {
		checks = append(checks, packet(nameDNS, near, p.confined(p.lookups(p.ids))), packet(nameZones, or(near, p.noIDs()), p.confined(p.sharedPorts())),
			packet(nameAgent, or(near, p.noIDs()), p.agentAnswers()))
	}
	if p.TProxied() {
		checks = append(checks, packet(nameAnswers, or(p.noAnswers(), far, p.noIDs()), p.answers()))
	}
	return checks
}

// parted separates applications from proxies.
func (p plan) parted() (apps, proxies []Identity) {
	for _, id := range p.ids {
		if p.IsProxy(id.owner()) {
			proxies = append(proxies, id)
		} else {
			apps = append(apps, id)
		}
	}
	return apps, proxies
}

// The reasons why something can't be done; "" if it can.

func (p plan) noPackets() string {
	if !p.facts.NetRaw {
		return "raw packets need CAP_NET_RAW"
	}
	return ""
}

func (p plan) noFarPackets() string {
	switch {
	case !p.facts.NetRaw:
		return p.noPackets()
	case !p.family.Addr.IsValid():
		return "the pod has no " + p.family.Family.String() + " address yet"
	case !p.family.AllHosts:
		return p.family.Interface + " is not in the group of all hosts, so packets would leave the pod"
	}
	return ""
}

func (p plan) noTransparent() string {
	if p.TProxied() && !p.facts.NetAdmin && !p.facts.Attach {
		return "a transparent listener needs CAP_NET_ADMIN"
	}
	return ""
}

func (p plan) noIDs() string {
	if !p.facts.SetIDs {
		return "acting as somebody else needs CAP_SETUID and CAP_SETGID"
	}
	return ""
}

func (p plan) noAnswers() string {
	if p.family.Family == iptables.V6 {
		return "an IPv6 answer would leave the pod if it were not brought back; its rule and route are checked instead"
	}
	if !p.facts.NetAdmin {
		return "setting a mark needs CAP_NET_ADMIN"
	}
	return ""
}

// noSender: an IPv6 packet that loops back has met nat on its way out.
func (p plan) noSender() string {
	if _, proxies := p.parted(); p.family.Family == iptables.V6 && p.TProxied() && len(proxies) == 0 {
		return p.noIDs()
	}
	return ""
}

// or is the first reason that applies.
func or(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}

// leaving makes a probe of a new connection that a process in the pod opens.
func (p plan) leaving(as Identity, by string, proto uint8, from, to netip.Addr, port iptables.Port) Probe {
	return p.decided(as, iptables.Packet{Protocol: proto, Src: from, Dst: to, DstPort: port, Out: by, Owner: as.owner()})
}

func (p plan) decided(as Identity, packet iptables.Packet) Probe {
	return Probe{As: as, Packet: packet, Path: iptables.Leaving, Want: builder.Decide(p.Config, packet, iptables.Leaving)}
}

// source is the address from which a destination on lo is called. One that is
// not local is called from the loopback address: should a rule set a mark, the
// packet is routed anew, and IPv4 lets none with that source leave by another
// interface (net/ipv4/route.c, __mkroute_output).
func (p plan) source(to netip.Addr) netip.Addr {
	if p.family.Addr.IsValid() && (to == p.family.Addr || to == builder.Passthrough(p.family.Family)) {
		return p.family.Addr
	}
	return loopback(p.family.Family)
}

// stray says that a packet on lo could leave the pod: IPv6 has no such rule, and
// in TPROXY mode the proxy's calls within the pod are marked.
func (p plan) stray(probe Probe) bool {
	packet := probe.Packet
	return p.family.Family == iptables.V6 && p.Mode == builder.TProxyMode && packet.Protocol == iptables.ProtoTCP &&
		packet.Out == "lo" && p.IsProxy(packet.Owner) && !p.local(packet.Dst) && packet.Dst != builder.Passthrough(iptables.V6)
}

// confined leaves out what could leave the pod.
func (p plan) confined(probes []Probe) []Probe {
	return slices.DeleteFunc(probes, p.stray)
}

func loopback(f iptables.Family) netip.Addr {
	if f == iptables.V6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
