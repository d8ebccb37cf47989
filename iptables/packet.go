package iptables

import (
	"net/netip"
	"slices"
	"strings"
)

// State is a conntrack state as iptables names it.
type State string

// The conntrack states (--ctstate).
const (
	StateNew         State = "NEW"
	StateEstablished State = "ESTABLISHED"
	StateRelated     State = "RELATED"
	StateInvalid     State = "INVALID"
	StateUntracked   State = "UNTRACKED"
)

// Owner is the credentials with which a socket was opened.
type Owner struct{ UID, GID uint32 }

// Packet is what rules can see of a packet. The zero State is NEW.
type Packet struct {
	Protocol         uint8
	Src, Dst         netip.Addr
	SrcPort, DstPort Port // of TCP and UDP
	// In is the interface by which the packet entered, "" if a process here sent it.
	In string
	// Out is the interface by which the packet leaves, "" if it has just arrived.
	Out string
	// Owner is nil for a packet without a sending socket.
	Owner          *Owner
	Mark, ConnMark uint32
	State          State
	// Reply says that the packet belongs to the reply direction of its connection.
	Reply bool
	// Midstream says that a TCP packet does not open its connection: it carries
	// not SYN alone of SYN, ACK, RST and FIN.
	Midstream bool
	// Transparent says that a transparent socket exists for the packet.
	Transparent bool
}

// Family is the family of the packet's destination.
func (p Packet) Family() Family { return FamilyOf(p.Dst) }

// Answer is whether a condition holds. Maybe is the honest answer of a
// condition that this package does not model.
type Answer uint8

// The answers, ordered so that the conjunction of two is the smaller.
const (
	No Answer = iota
	Maybe
	Yes
)

func answer(b bool) Answer {
	if b {
		return Yes
	}
	return No
}

func (m Source) holds(p Packet) Answer      { return answer(m.Prefix.Contains(p.Src) != m.Not) }
func (m Destination) holds(p Packet) Answer { return answer(m.Prefix.Contains(p.Dst) != m.Not) }

func (m InInterface) holds(p Packet) Answer  { return answer(MatchesInterface(m.Name, p.In) != m.Not) }
func (m OutInterface) holds(p Packet) Answer { return answer(MatchesInterface(m.Name, p.Out) != m.Not) }

// MatchesInterface compares an interface name with the pattern of a rule as the
// kernel does: a trailing + matches any rest.
func MatchesInterface(pattern, name string) bool {
	if beginning, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(name, beginning)
	}
	return pattern == name
}

func (m Protocol) holds(p Packet) Answer { return answer((m.Number == p.Protocol) != m.Not) }

func (m SourcePort) holds(p Packet) Answer { return answer(m.Range.Contains(p.SrcPort) != m.Not) }
func (m DestinationPort) holds(p Packet) Answer {
	return answer(m.Range.Contains(p.DstPort) != m.Not)
}

func (m MultiPort) holds(p Packet) Answer {
	for _, r := range m.Ranges {
		if m.Side != DstSide && r.Contains(p.SrcPort) || m.Side != SrcSide && r.Contains(p.DstPort) {
			return answer(!m.Not)
		}
	}
	return answer(m.Not)
}

func (m UIDOwner) holds(p Packet) Answer {
	return answer((p.Owner != nil && m.Range.Contains(p.Owner.UID)) != m.Not)
}

func (m GIDOwner) holds(p Packet) Answer {
	return answer((p.Owner != nil && m.Range.Contains(p.Owner.GID)) != m.Not)
}

func (m PacketMark) holds(p Packet) Answer { return answer((p.Mark&m.Mask == m.Value) != m.Not) }

// holds: an untracked or invalid packet has no connection, so no mark to
// compare and no match, inverted or not (net/netfilter/xt_connmark.c).
func (m ConnMark) holds(p Packet) Answer {
	if !p.tracked() {
		return No
	}
	return answer((p.ConnMark&m.Mask == m.Value) != m.Not)
}

func (m ConnState) holds(p Packet) Answer {
	return answer(slices.Contains(m.States, p.state()) != m.Not)
}

func (m ConnDirection) holds(p Packet) Answer { return answer(p.tracked() && p.Reply == m.Reply) }

func (m TransparentSocket) holds(p Packet) Answer { return answer(p.Transparent) }

func (m Opening) holds(p Packet) Answer {
	return answer((p.Protocol == ProtoTCP && !p.Midstream) != m.Not)
}

func (m InSet) holds(p Packet) Answer {
	if m.Elements == nil {
		return Maybe
	}
	addr := p.Dst
	if m.Side == SrcSide {
		addr = p.Src
	}
	for _, e := range m.Elements {
		if e.Contains(addr) {
			return answer(!m.Not)
		}
	}
	return answer(m.Not)
}

func (m PortInSet) holds(p Packet) Answer {
	if m.Ranges == nil {
		return Maybe
	}
	return MultiPort{Side: m.Side, Ranges: m.Ranges, Not: m.Not}.holds(p)
}

func (Opaque) holds(Packet) Answer { return Maybe }

func (p Packet) state() State {
	if p.State == "" {
		return StateNew
	}
	return p.State
}

func (p Packet) tracked() bool {
	return p.state() != StateInvalid && p.state() != StateUntracked
}

// Holds says whether all conditions of the rule hold for a packet. A packet
// fails early: the first condition that does not hold is returned with No.
func (r Rule) Holds(p Packet) (Answer, Match) { return r.holdsIf(p, nil) }

// holdsIf is Holds, suppose answering for conditions that are not modelled.
func (r Rule) holdsIf(p Packet, suppose func(Match) Answer) (Answer, Match) {
	sum, because := Yes, Match(nil)
	for _, m := range r.Match {
		a := m.holds(p)
		if a == Maybe && suppose != nil {
			a = suppose(m)
		}
		switch {
		case a == No:
			return No, m
		case a < sum:
			sum, because = a, m
		}
	}
	return sum, because
}
