package builder

import "github.com/sluicemesh/sluice/iptables"

// natInbound says whether nat decides anything about arriving connections: in
// TPROXY mode only those of virtual machines.
func (b *build) natInbound() bool {
	return len(b.VirtualInterfaces) > 0 || b.Mode == RedirectMode && !b.Inbound.None()
}

// dropInvalid drops packets that belong to no connection. Untracked packets,
// such as neighbour discovery, are in another state and pass.
func (b *build) dropInvalid() {
	if !b.DropInvalid {
		return
	}
	drop := b.in(iptables.Mangle, iptables.ChainDrop)
	drop.each(whyExcludeIfaces, iptables.Return(), mapped(b.ExcludeInterfaces, inBy))
	drop.capture(whyInvalid, iptables.Drop())
}

// inbound decides for connections that arrive at the pod. Those that arrive by
// lo were decided when they left: nat is not consulted for them again.
func (b *build) inbound() {
	if b.natInbound() {
		nat := b.in(iptables.Nat, iptables.ChainInbound)
		nat.excludedInterfaces()
		nat.virtualMachines()
		if b.Mode == RedirectMode {
			nat.inboundPorts(iptables.Jump(iptables.ChainInRedirect))
		}
	}
	if b.TProxied() {
		b.transparentInbound()
	}
	if b.Mode == RedirectMode { // self-calls take this way even when no inbound port is captured
		b.in(iptables.Nat, iptables.ChainInRedirect).capture(whyInPort, iptables.Redirect{Port: b.InboundPort}, iptables.TCP())
	}
}

// excludedInterfaces: what enters by an excluded interface is left alone.
func (p place) excludedInterfaces() {
	p.each(whyExcludeIfaces, iptables.Return(), mapped(p.ExcludeInterfaces, inBy))
}

// virtualMachines: what enters by the interface of a virtual machine inside
// the pod is outbound traffic of that machine. It never reaches In.
func (p place) virtualMachines() {
	for _, i := range p.VirtualInterfaces {
		enters := inBy(i)
		p.each(whyNotOutPorts, iptables.Return(), toPorts(p.ExcludeOutboundPorts), enters, iptables.TCP())
		p.byDestination(enters)
		p.rule(whyVirtual, iptables.Return(), enters)
	}
}

// inboundPorts: the tunnel and excluded sources are left alone; of the rest,
// either all ports are captured except some, or only some.
func (p place) inboundPorts(capture iptables.Target) {
	tcp := iptables.TCP()
	if p.Inbound.None() {
		return
	}
	p.rule(whyTunnel, iptables.Return(), tcp, iptables.ToPort(iptables.OnePort(p.TunnelPort)))
	p.each(whyNotSources, iptables.Return(), mapped(p.ExcludeInboundCIDRs.Of(p.family), iptables.From))
	if p.Inbound.Except {
		p.each(whyExcludePorts, iptables.Return(), toPorts(p.Inbound.Ports), tcp)
		p.rule(whyInboundPorts, capture, tcp)
		return
	}
	p.each(whyInboundPorts, capture, toPorts(p.Inbound.Ports), tcp)
}
