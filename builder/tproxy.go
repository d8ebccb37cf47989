package builder

import (
	"net/netip"

	"github.com/sluicemesh/sluice/iptables"
)

// Transparent interception keeps both addresses of a connection, so it has
// to carry what REDIRECT writes into the NAT table in marks:
//
//   - the inbound mark, set by TPROXY and routed to this host by an ip rule.
//     The proxy sets it on the sockets by which it calls the application from
//     the client's own address; such a packet arrives by lo with the mark,
//     which is saved in the connection and restored on the application's
//     answers, so that they come back to the proxy instead of leaving the pod;
//   - the self-call mark, set on what the proxy sends to its own pod, so that
//     it goes through TPROXY although it arrives by lo. As the mark of a
//     connection it says that TPROXY had the first packet.

// transparentInbound is the mangle side of TPROXY mode.
func (b *build) transparentInbound() {
	in := b.in(iptables.Mangle, iptables.ChainInbound)
	in.rule(whyTProxyMark, saveMark(), iptables.In("lo"), b.marked())
	in.excludedInterfaces()
	in.rule(whyMode, iptables.Return(), iptables.In("lo"), iptables.Not(iptables.Marked(iptables.SelfCallMark)))
	in.rule(whyMode, iptables.Return(), iptables.Reply())
	in.each(whyVirtual, iptables.Return(), mapped(b.VirtualInterfaces, inBy))
	in.inboundPorts(iptables.Jump(iptables.ChainTProxy))
	b.tproxy()
}

// tproxy hands connections to the listener. What opens one goes there whatever
// conntrack thinks of it: a client may use the port of a connection again that
// was reset, and conntrack, which has not forgotten, takes it for the old one.
// All else belongs to the socket that is there: the proxy's needs only the mark,
// and one from before the rules nothing. No socket is there yet when the
// listener answers by SYN cookies: then the connection's mark tells, which says
// that TPROXY had its first packet.
func (b *build) tproxy() {
	divert := b.in(iptables.Mangle, iptables.ChainDivert)
	divert.rule(whyTProxyMark, iptables.SetMark{Value: uint32(b.TProxyMark), Mask: iptables.FullMask})
	divert.rule(whyTProxyMark, iptables.Accept())

	tproxy := b.in(iptables.Mangle, iptables.ChainTProxy)
	later := iptables.Not(iptables.Opens())
	tproxy.rule(whyMode, iptables.Jump(iptables.ChainDivert), iptables.TCP(), later, iptables.TransparentSocket{NoWildcard: true})
	tproxy.rule(whyMode, iptables.Return(), iptables.TCP(), later, iptables.Not(iptables.ConnMarked(iptables.SelfCallMark)))
	tproxy.rule(whyMode, iptables.SetMark{Value: iptables.SelfCallMark, Mask: iptables.FullMask}, iptables.TCP())
	tproxy.rule(whyMode, saveMark(), iptables.TCP())
	tproxy.capture(whyInPort, iptables.TProxy{
		Port: b.InboundPort, On: unspecified(b.family), Mark: uint32(b.TProxyMark), Mask: iptables.FullMask,
	}, iptables.TCP())
}

// selfCallMarks marks the proxy's calls to its own pod, and restores the mark
// of connections that the proxy opened from a client's address. Restoring
// comes first: it belongs to packets whose fate is long decided.
func (b *build) selfCallMarks() {
	if !b.TProxied() {
		return
	}
	out := b.in(iptables.Mangle, iptables.ChainOutput)
	out.rule(whyTProxyMark, restoreMark(), iptables.ConnMarked(uint32(b.TProxyMark)))
	out.leavesExcluded()
	out.handedOver()
	out.selfCalls(iptables.SetMark{Value: iptables.SelfCallMark, Mask: iptables.FullMask})
}

func (b *build) marked() iptables.Match { return iptables.Marked(uint32(b.TProxyMark)) }

func saveMark() iptables.Target {
	return iptables.SaveMark{NFMask: iptables.FullMask, CTMask: iptables.FullMask}
}

func restoreMark() iptables.Target {
	return iptables.RestoreMark{NFMask: iptables.FullMask, CTMask: iptables.FullMask}
}

func unspecified(f iptables.Family) netip.Addr { return f.Any().Addr() }
