package diff

import (
	"net/netip"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// holds is the packets of the current flow for which a condition holds.
func (w *walk) holds(m iptables.Match) bdd.Ref {
	switch m := m.(type) {
	case iptables.Source:
		return inverted(w.within(dimSrc, m.Prefix), m.Not)
	case iptables.Destination:
		return inverted(w.destination(m.Prefix), m.Not)
	case iptables.InInterface:
		return inverted(w.device(m.Name, w.flow.in), m.Not)
	case iptables.OutInterface:
		return inverted(w.device(m.Name, w.flow.out), m.Not)
	case iptables.Protocol:
		return inverted(w.is(dimProtocol, uint32(m.Number)), m.Not)
	case iptables.SourcePort:
		return inverted(w.between(dimSrcPort, uint32(m.Range.First), uint32(m.Range.Last)), m.Not)
	case iptables.DestinationPort:
		return inverted(w.dstPort(m.Range), m.Not)
	case iptables.MultiPort:
		return inverted(w.multiPort(m), m.Not)
	case iptables.PortInSet:
		if m.Ranges != nil {
			return inverted(w.multiPort(iptables.MultiPort{Side: m.Side, Ranges: m.Ranges}), m.Not)
		}
		not := m.Not
		m.Not = false
		return inverted(w.unmodelled(m), not)
	}
	return w.holdsState(m)
}

// holdsState is holds for what does not stand in a packet's headers.
func (w *walk) holdsState(m iptables.Match) bdd.Ref {
	switch m := m.(type) {
	case iptables.UIDOwner:
		return inverted(w.owner(dimUID, m.Range), m.Not)
	case iptables.GIDOwner:
		return inverted(w.owner(dimGID, m.Range), m.Not)
	case iptables.PacketMark:
		return inverted(w.equals(&w.mark, m.Value, m.Mask), m.Not)
	case iptables.ConnMark:
		return w.And(w.tracked(), inverted(w.equals(&w.connMark, m.Value, m.Mask), m.Not))
	case iptables.ConnState:
		return inverted(w.state(m.States), m.Not)
	case iptables.ConnDirection:
		reply := w.Var(w.fields[dimReply].first)
		return w.And(w.tracked(), inverted(reply, !m.Reply))
	case iptables.Opening:
		return inverted(w.And(w.is(dimProtocol, uint32(iptables.ProtoTCP)), w.Var(w.fields[dimMidstream].first).Not()), m.Not)
	case iptables.TransparentSocket:
		return w.Var(w.fields[dimTransparent].first)
	case iptables.InSet:
		return inverted(w.inSet(m), m.Not)
	}
	return w.unmodelled(m)
}

func inverted(set bdd.Ref, not bool) bdd.Ref {
	if not {
		return set.Not()
	}
	return set
}

func constant(b bool) bdd.Ref { return inverted(bdd.Everything, !b) }

func (w *walk) destination(p netip.Prefix) bdd.Ref {
	if w.flow.toLoopback {
		return constant(p.Contains(iptables.Loopback(w.family)))
	}
	return w.within(dimDst, p)
}

func (w *walk) dstPort(r iptables.PortRange) bdd.Ref {
	if w.flow.newPort != 0 {
		return constant(r.Contains(w.flow.newPort))
	}
	return w.between(dimDstPort, uint32(r.First), uint32(r.Last))
}

func (w *walk) multiPort(m iptables.MultiPort) bdd.Ref {
	set := bdd.Nothing
	for _, r := range m.Ranges {
		if m.Side != iptables.DstSide {
			set = w.Or(set, w.between(dimSrcPort, uint32(r.First), uint32(r.Last)))
		}
		if m.Side != iptables.SrcSide {
			set = w.Or(set, w.dstPort(r))
		}
	}
	return set
}

// device compares with the interface of the packet, or a name that is fixed.
func (w *walk) device(pattern string, d device) bdd.Ref {
	if d.own {
		return w.named(pattern)
	}
	return constant(iptables.MatchesInterface(pattern, d.name))
}

// owner: what has come in by an interface has no owner.
func (w *walk) owner(d dimension, r iptables.IDRange) bdd.Ref {
	if w.flow.path == iptables.Arriving {
		return bdd.Nothing
	}
	return w.And(w.Var(w.fields[dimOwned].first), w.between(d, r.First, r.Last))
}

// equals is the packets whose mark, as it is by now, has a value under a mask.
func (w *walk) equals(bits *word, value, mask uint32) bdd.Ref {
	set := constant(value&^mask == 0)
	for i := range 32 {
		if mask>>i&1 == 1 {
			set = w.And(set, inverted(bits[i], value>>i&1 == 0))
		}
	}
	return set
}

func (w *walk) state(list []iptables.State) bdd.Ref {
	set := w.inState(list...)
	untracked := bdd.Nothing
	for _, s := range list {
		if s == iptables.StateUntracked {
			untracked = w.untracked
		}
	}
	return w.Or(w.Minus(set, w.untracked), untracked)
}

// tracked is the packets that belong to a connection.
func (w *walk) tracked() bdd.Ref {
	return w.Minus(w.inState(iptables.StateNew, iptables.StateEstablished, iptables.StateRelated), w.untracked)
}

func (w *walk) inSet(m iptables.InSet) bdd.Ref {
	if m.Elements == nil {
		m.Not = false
		return w.unmodelled(m)
	}
	set := bdd.Nothing
	for _, p := range m.Elements {
		if m.Side == iptables.SrcSide {
			set = w.Or(set, w.within(dimSrc, p))
		} else {
			set = w.Or(set, w.destination(p))
		}
	}
	return set
}

// unmodelled: the same words give the same answer, but not for a packet that
// has another destination by now or arrives once more.
func (w *walk) unmodelled(m iptables.Match) bdd.Ref {
	text := iptables.Rule{Match: []iptables.Match{m}}.String()
	if w.flow.again {
		text += " (when it comes back by lo)"
	} else if w.flow.newPort != 0 {
		text += " (once captured)"
	}
	return w.condition(text)
}
