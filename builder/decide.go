package builder

import "github.com/sluicemesh/sluice/iptables"

// Verdict is what the policy does with a connection.
type Verdict string

// The verdicts.
const (
	Direct  Verdict = "direct"  // left alone
	ToIn    Verdict = "In"      // to the proxy's inbound port
	ToOut   Verdict = "Out"     // to the proxy's outbound port
	ToDNS   Verdict = "DNS"     // to the agent's DNS port
	Dropped Verdict = "dropped" // an invalid packet, if asked for
)

// Decide says what happens to the first packet of a connection: the policy of
// interception on one page, without chains. Each case is a sentence of it, and
// the first that applies wins. The rules that Build makes must agree with it
// for every packet, in every backend.
func Decide(c Config, p iptables.Packet, path iptables.Path) Verdict {
	switch {
	case c.Mode == NoneMode:
		return Direct
	case path == iptables.Arriving:
		return decideArriving(c, p)
	}
	return decideLeaving(c, p)
}

// decideLeaving is a connection that a process in the pod opens.
func decideLeaving(c Config, p iptables.Packet) Verdict {
	var (
		family   = p.Family()
		dns      = c.DNSOf(family)
		tcp      = p.Protocol == iptables.ProtoTCP
		byLo     = p.Out == "lo"
		proxy    = c.IsProxy(p.Owner)
		loopback = c.Loopback.Of(family).Contains(p.Dst)
		query    = p.DstPort == dnsPort && dns.Captures(p.Dst, p.Out)
	)
	switch {
	case excluded(c.ExcludeInterfaces, p.Out):
		return Direct
	case c.ExcludeOutboundPorts.Contains(p.DstPort):
		return Direct
	case !proxy && excludedForUID(c, p):
		return Direct
	case byLo && p.Src == Passthrough(family): // the proxy handing a request to the application
		return Direct
	case byLo && c.Mode == TProxyMode && p.Mark == uint32(c.TProxyMark): // the same, from the client's address
		return Direct
	case proxy && byLo && !loopback && tcp && p.DstPort != c.TunnelPort && !(dns.On() && p.DstPort == dnsPort):
		return decideSelfCall(c, p)
	case proxy: // must never be looped back to itself
		return Direct
	case byLo && !query && !c.IncludeCIDRs.NamesLoopback(family): // the application talking to itself
		return Direct
	case !groupCaptured(c, p.Owner):
		return Direct
	case query:
		return ToDNS
	case loopback:
		return Direct
	}
	return decideByDestination(c, p)
}

// decideSelfCall is a service calling itself through its own address: it goes
// through the proxy's inbound side too. TPROXY does that on lo, where the
// inbound settings count; REDIRECT does it at once.
func decideSelfCall(c Config, p iptables.Packet) Verdict {
	if c.Mode == TProxyMode {
		return decideInbound(c, p)
	}
	return ToIn
}

// decideByDestination is the end of the outbound policy. Traffic of a virtual
// machine inside the pod comes straight here.
func decideByDestination(c Config, p iptables.Packet) Verdict {
	switch {
	case c.ExcludeCIDRs.Contains(p.Dst):
		return Direct
	case p.Protocol != iptables.ProtoTCP:
		return Direct
	case c.IncludeOutboundPorts.Contains(p.DstPort):
		return ToOut
	case c.IncludeCIDRs.Contains(p.Dst):
		return ToOut
	}
	return Direct
}

// decideArriving is a connection that arrives at the pod.
func decideArriving(c Config, p iptables.Packet) Verdict {
	selfCall := c.Mode == TProxyMode && p.Mark == iptables.SelfCallMark
	switch {
	case excluded(c.ExcludeInterfaces, p.In):
		return Direct
	case c.DropInvalid && p.State == iptables.StateInvalid:
		return Dropped
	case p.In == "lo" && !selfCall: // decided when it left
		return Direct
	case p.Reply:
		return Direct
	case p.Protocol != iptables.ProtoTCP:
		return Direct
	case excluded(c.VirtualInterfaces, p.In):
		return decideVirtual(c, p)
	}
	return decideInbound(c, p)
}

// decideVirtual is a connection that a virtual machine inside the pod opens.
func decideVirtual(c Config, p iptables.Packet) Verdict {
	if c.ExcludeOutboundPorts.Contains(p.DstPort) {
		return Direct
	}
	return decideByDestination(c, p)
}

// decideInbound is the inbound settings.
func decideInbound(c Config, p iptables.Packet) Verdict {
	switch {
	case p.DstPort == c.TunnelPort:
		return Direct
	case c.ExcludeInboundCIDRs.Contains(p.Src):
		return Direct
	case c.Inbound.Captures(p.DstPort):
		return ToIn
	}
	return Direct
}

// OfVirtual says whether what arrives by an interface is what a virtual machine
// inside the pod opens.
func (c Config) OfVirtual(in string) bool {
	return excluded(c.VirtualInterfaces, in) && !excluded(c.ExcludeInterfaces, in)
}

func excluded(list []Interface, name string) bool {
	for _, i := range list {
		if i.matches(name) {
			return true
		}
	}
	return false
}

// matches compares as the kernel does; "" is no interface.
func (i Interface) matches(name string) bool {
	if n := len(i) - 1; i[n] == '+' {
		return len(name) >= n && name[:n] == string(i[:n])
	}
	return string(i) == name
}

func excludedForUID(c Config, p iptables.Packet) bool {
	for _, x := range c.ExcludePortsForUIDs {
		if x.Applies(p) {
			return true
		}
	}
	return false
}

// groupCaptured is the owner group filter. A packet without an owner is nobody's.
func groupCaptured(c Config, o *iptables.Owner) bool {
	if c.OwnerGroups.Listed && (o == nil || !c.OwnerGroups.Include.Contains(o.GID)) {
		return false
	}
	return o == nil || !c.ExcludeOwnerGroups.Contains(o.GID)
}
