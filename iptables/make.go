package iptables

import "net/netip"

// The constructors below make rules read as sentences:
//
//	Rule{Match: []Match{Out("lo"), Not(To(loopback)), TCP(), ByUID(proxy)}, Target: Jump(ChainInRedirect)}

// From matches a source prefix.
func From(p netip.Prefix) Match { return Source{Prefix: p} }

// To matches a destination prefix.
func To(p netip.Prefix) Match { return Destination{Prefix: p} }

// In matches the interface by which a packet entered.
func In(name string) Match { return InInterface{Name: name} }

// Out matches the interface by which a packet leaves.
func Out(name string) Match { return OutInterface{Name: name} }

// TCP matches TCP.
func TCP() Match { return Protocol{Number: ProtoTCP} }

// UDP matches UDP.
func UDP() Match { return Protocol{Number: ProtoUDP} }

// FromPort matches the source port of the rule's protocol.
func FromPort(r PortRange) Match { return SourcePort{Range: r} }

// ToPort matches the destination port of the rule's protocol.
func ToPort(r PortRange) Match { return DestinationPort{Range: r} }

// ToPorts matches a few destination ports at once; see MultiPortSlots.
func ToPorts(ranges ...PortRange) Match { return MultiPort{Side: DstSide, Ranges: ranges} }

// ByUID matches packets of sockets that these uids opened.
func ByUID(r IDRange) Match { return UIDOwner{Range: r} }

// ByGID matches packets of sockets that these gids opened.
func ByGID(r IDRange) Match { return GIDOwner{Range: r} }

// Marked matches a packet mark, all 32 bits.
func Marked(v uint32) Match { return PacketMark{Value: v, Mask: FullMask} }

// ConnMarked matches a connection mark, all 32 bits.
func ConnMarked(v uint32) Match { return ConnMark{Value: v, Mask: FullMask} }

// InState matches conntrack states.
func InState(s ...State) Match { return ConnState{States: s} }

// Reply matches packets of the reply direction of a tracked connection.
func Reply() Match { return ConnDirection{Reply: true} }

// Opens matches TCP packets that open a connection.
func Opens() Match { return Opening{} }

// Not inverts a condition. It panics for the few that have no inverse
// (TransparentSocket, Opaque): that is a programming error.
func Not(m Match) Match { //nolint:funlen // a table: one line per condition
	switch m := m.(type) {
	case Source:
		m.Not = !m.Not
		return m
	case Destination:
		m.Not = !m.Not
		return m
	case InInterface:
		m.Not = !m.Not
		return m
	case OutInterface:
		m.Not = !m.Not
		return m
	case Protocol:
		m.Not = !m.Not
		return m
	case SourcePort:
		m.Not = !m.Not
		return m
	case DestinationPort:
		m.Not = !m.Not
		return m
	case MultiPort:
		m.Not = !m.Not
		return m
	case UIDOwner:
		m.Not = !m.Not
		return m
	case GIDOwner:
		m.Not = !m.Not
		return m
	case PacketMark:
		m.Not = !m.Not
		return m
	case ConnMark:
		m.Not = !m.Not
		return m
	case ConnState:
		m.Not = !m.Not
		return m
	case Opening:
		m.Not = !m.Not
		return m
	case InSet:
		m.Not = !m.Not
		return m
	case PortInSet:
		m.Not = !m.Not
		return m
	case ConnDirection:
		m.Reply = !m.Reply
		return m
	}
	panic("iptables.Not: this condition has no inverse")
}

// Jump continues in a chain and comes back when that chain ends.
func Jump(chain string) Target { return JumpTo{Chain: chain} }

// Return leaves the chain; at the end of a built-in chain its policy decides.
func Return() Target { return VerdictReturn }

// Accept lets the packet pass this table.
func Accept() Target { return VerdictAccept }

// Drop discards the packet.
func Drop() Target { return VerdictDrop }
