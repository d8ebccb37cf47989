package builder

import (
	"net/netip"

	"github.com/sluicemesh/sluice/iptables"
)

// DNS capture sends an application's query to the agent, which asks the real
// resolver. Both use port 53 of the same resolver and may use the same source
// port one after the other; one conntrack entry for both would send the
// application's answer astray. So they live in two zones, assigned in raw
// before conntrack looks a packet up:
//
//	zone 1: whoever asks a resolver directly, and its answers
//	zone 2: the application and the agent
//
// A query that the policy leaves alone is in zone 1 with the agent's: neither
// is rewritten, and the answers of both come from a resolver's port 53.
const (
	zoneDirect   = 1
	zoneCaptured = 2
)

// queries: what goes to port 53 of a captured resolver goes to the agent.
func (p place) queries() {
	dns := p.DNSOf(p.family)
	if !dns.On() {
		return
	}
	agent := p.in(iptables.Nat, iptables.ChainOutputDNS)
	for _, proto := range dnsProtocols() {
		port := iptables.ToPort(iptables.OnePort(dnsPort))
		p.rule(whyDNS, iptables.Jump(iptables.ChainOutputDNS), proto, port)
		for _, to := range dns.servers(iptables.To, iptables.Out) {
			agent.capture(whyDNS, iptables.Redirect{Port: p.DNSPort}, append(to, proto, port)...)
		}
	}
}

func dnsProtocols() []iptables.Match { return []iptables.Match{iptables.UDP(), iptables.TCP()} }

// servers are the conditions, each list an alternative, that name the captured
// resolvers; one empty list stands for any resolver.
func (d DNS) servers(addr func(netip.Prefix) iptables.Match, iface func(string) iptables.Match) [][]iptables.Match {
	if d.All {
		return [][]iptables.Match{nil}
	}
	var list [][]iptables.Match
	for _, r := range d.Servers {
		match := []iptables.Match{addr(iptables.Host(r.Addr))}
		if r.Interface != "" {
			match = append(match, iface(r.Interface))
		}
		list = append(list, match)
	}
	return list
}

// zoneHooks sends to our raw chains only what may need a zone.
func (b *build) zoneHooks() {
	if !b.DNSOf(b.family).On() {
		return
	}
	in, out := b.in(iptables.Raw, iptables.Prerouting), b.in(iptables.Raw, iptables.Output)
	for _, proto := range dnsProtocols() {
		in.rule(whyDNS, iptables.Jump(iptables.ChainInbound), proto, iptables.FromPort(iptables.OnePort(dnsPort)))
		out.rule(whyDNS, iptables.Jump(iptables.ChainOutputDNS), proto, iptables.ToPort(iptables.OnePort(dnsPort)))
		out.rule(whyDNS, iptables.Jump(iptables.ChainOutputDNS), proto, iptables.FromPort(iptables.OnePort(b.DNSPort)))
	}
}

// dnsZones assigns the zones. The first zone that a packet gets, it keeps, so
// the order is that of the policy.
func (b *build) dnsZones() {
	dns := b.DNSOf(b.family)
	if !dns.On() {
		return
	}
	in, out := b.in(iptables.Raw, iptables.ChainInbound), b.in(iptables.Raw, iptables.ChainOutputDNS)
	in.excludedInterfaces()
	out.each(whyExcludeIfaces, iptables.Return(), mapped(b.ExcludeInterfaces, outBy))
	for _, proto := range dnsProtocols() {
		for _, from := range dns.servers(iptables.From, iptables.In) {
			in.rule(whyDNS, iptables.Zone{ID: zoneDirect}, append(from, proto, iptables.FromPort(iptables.OnePort(dnsPort)))...)
		}
		out.answers(proto)
	}
	for _, proto := range dnsProtocols() {
		for _, to := range dns.servers(iptables.To, iptables.Out) {
			out.zones(proto, append(to, proto, iptables.ToPort(iptables.OnePort(dnsPort))))
		}
	}
}

// answers: the agent's replies to the application. What TCP sends for a
// connection that is not accepted yet, or is closed already, has no owner: an
// acknowledgement outside its zone would keep the agent's address, and the
// client would reset the connection.
func (p place) answers(proto iptables.Match) {
	from := iptables.FromPort(iptables.OnePort(p.DNSPort))
	if proto == iptables.TCP() {
		p.rule(whyDNS, iptables.Zone{ID: zoneCaptured}, iptables.Out("lo"), proto, from)
		return
	}
	for _, o := range p.owners() {
		p.rule(whyDNS, iptables.Zone{ID: zoneCaptured}, proto, from, o.match)
	}
}

// zones: queries of one protocol to one resolver, those left alone first, by
// the same steps that nat takes.
func (p place) zones(proto iptables.Match, query []iptables.Match) {
	direct := iptables.Zone{ID: zoneDirect}
	owners := mapped(p.owners(), func(o owner) iptables.Match { return o.match })
	p.each(whyDNS, direct, owners, query...)
	for _, x := range p.ExcludePortsForUIDs {
		if x.Ports.Contains(dnsPort) && proto == (iptables.Match)(iptables.Protocol{Number: x.Protocol}) {
			p.each(whyUIDPorts, direct, mapped(x.UIDs, iptables.ByUID), query...)
		}
	}
	p.ownerGroups(direct, query...)
	p.rule(whyDNS, iptables.Zone{ID: zoneCaptured}, query...)
}
