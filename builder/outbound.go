package builder

import "github.com/sluicemesh/sluice/iptables"

// outbound decides for connections that a process in the pod opens. The order
// is the policy. Owner rules stand before those for lo, so that every uid and
// gid of the proxy is treated alike.
func (b *build) outbound() {
	out := b.in(iptables.Nat, iptables.ChainOutput)
	out.leavesExcluded()
	out.handedOver()
	if b.Mode == RedirectMode {
		out.selfCalls(iptables.Jump(iptables.ChainInRedirect))
	}
	out.proxyItself()
	out.portsForUIDs(iptables.Return())
	out.ownerGroups(iptables.Return())
	out.queries()
	out.applicationItself()
	out.rule(whyLoopback, iptables.Return(), iptables.To(b.Loopback.Of(b.family)))
	out.byDestination()
	b.in(iptables.Nat, iptables.ChainRedirect).capture(whyOutPort, iptables.Redirect{Port: b.OutboundPort}, iptables.TCP())
}

// leavesExcluded: what leaves by an excluded interface, or to an excluded
// port, is left alone, whoever sent it.
func (p place) leavesExcluded() {
	p.each(whyExcludeIfaces, iptables.Return(), mapped(p.ExcludeInterfaces, outBy))
	p.each(whyNotOutPorts, iptables.Return(), toPorts(p.ExcludeOutboundPorts), iptables.TCP())
}

// handedOver: the proxy handing a connection to the application, from its own
// source address or, in TPROXY mode, from the client's with the inbound mark.
func (p place) handedOver() {
	lo := iptables.Out("lo")
	p.rule(whyPassthrough, iptables.Return(), iptables.From(iptables.Host(Passthrough(p.family))), lo)
	if p.Mode == TProxyMode {
		p.rule(whyTProxyMark, iptables.Return(), lo, p.marked())
	}
}

// selfCalls: the proxy calling its own pod through the pod's address goes
// through the inbound side, but for the tunnel and the agent's own queries.
func (p place) selfCalls(capture iptables.Target) {
	direct := []iptables.PortRange{iptables.OnePort(p.TunnelPort)}
	if p.DNSOf(p.family).On() {
		direct = append(direct, iptables.OnePort(dnsPort))
	}
	for _, o := range p.owners() {
		p.rule(o.why, capture, iptables.Not(iptables.To(p.Loopback.Of(p.family))), iptables.Out("lo"), iptables.TCP(), notToPorts(direct), o.match)
	}
}

func notToPorts(ranges []iptables.PortRange) iptables.Match {
	if len(ranges) == 1 {
		return iptables.Not(iptables.ToPort(ranges[0]))
	}
	return iptables.Not(iptables.ToPorts(ranges...))
}

// proxyItself: any other traffic of the proxy is left alone. It must never be
// looped back to the proxy.
func (p place) proxyItself() {
	for _, o := range p.owners() {
		p.rule(o.why, iptables.Return(), o.match)
	}
}

// portsForUIDs: a sender and port in an exclusion for uids. It stands behind
// the owner rules, since it is never for the proxy.
func (p place) portsForUIDs(target iptables.Target) {
	for _, x := range p.ExcludePortsForUIDs {
		for _, port := range toPorts(x.Ports) {
			uids := mapped(x.UIDs, iptables.ByUID)
			p.each(whyUIDPorts, target, uids, iptables.Protocol{Number: x.Protocol}, port)
		}
	}
}

// ownerGroups: the sender's group is not captured. A packet without an owner
// matches every inverted owner condition, so it is not captured either.
func (p place) ownerGroups(target iptables.Target, match ...iptables.Match) {
	if p.OwnerGroups.Listed {
		outside := append([]iptables.Match{}, match...)
		for _, r := range p.OwnerGroups.Include {
			outside = append(outside, iptables.Not(iptables.ByGID(r)))
		}
		p.rule(whyGroups, target, outside...)
	}
	p.each(whyNotGroups, target, mapped(p.ExcludeOwnerGroups, iptables.ByGID), match...)
}

// applicationItself: the application talking to itself over lo. Queries that
// are captured have been, so no exception is needed for them here.
func (p place) applicationItself() {
	if !p.IncludeCIDRs.NamesLoopback(p.family) {
		p.rule(whyItself, iptables.Return(), iptables.Out("lo"))
	}
}

// byDestination is the end of the outbound policy: excluded addresses, then
// included ports, then included addresses; the rest is left alone.
func (p place) byDestination(match ...iptables.Match) {
	capture := iptables.Jump(iptables.ChainRedirect)
	tcp := append(append([]iptables.Match{}, match...), iptables.TCP())
	p.each(whyExcludeCIDRs, iptables.Return(), mapped(p.ExcludeCIDRs.Of(p.family), iptables.To), match...)
	switch {
	case p.IncludeCIDRs.All:
		p.rule(whyIncludeCIDRs, capture, match...)
		return
	case p.IncludeOutboundPorts.All:
		p.rule(whyOutPorts, capture, tcp...)
		return
	}
	p.each(whyOutPorts, capture, toPorts(p.IncludeOutboundPorts), tcp...)
	p.each(whyIncludeCIDRs, capture, mapped(p.IncludeCIDRs.Of(p.family), iptables.To), match...)
}
