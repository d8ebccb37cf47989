package iptables

import "net/netip"

// then says how a packet goes on behind a rule or chain.
type then uint8

const (
	onward  then = iota // to the next rule
	back                // to the rule behind the jump
	through             // out of this table, to the next hook
	stopped             // nowhere: its fate is decided
)

const deepest = 64 // more jumps than rules of any real table nest; a loop in a dump ends here

func (w *walk) chain(c Chain, depth int) then {
	if depth > deepest {
		return w.undecided(Step{Table: c.Table, Chain: c.Name, Depth: depth, Path: w.path, Packet: w.packet})
	}
	for i, r := range c.Rules {
		s := w.step(c, i, depth)
		if w.Visit != nil {
			w.Visit(s)
		}
		if s.Answer == No {
			continue
		}
		if s.Answer == Maybe && !harmless(r.Target) {
			return w.undecided(s)
		}
		if next := w.apply(s); next == back {
			break
		} else if next != onward {
			return next
		}
	}
	return w.end(c)
}

func (w *walk) step(c Chain, i, depth int) Step {
	a, because := c.Rules[i].holdsIf(w.packet, w.Suppose)
	return Step{c.Table, c.Name, i + 1, c.Rules[i], a, because, depth, w.path, w.packet}
}

// end is what happens at the end of a chain: the policy of a built-in one.
func (w *walk) end(c Chain) then {
	if c.Policy == VerdictDrop {
		return w.decide(Dropped, Step{Table: c.Table, Chain: c.Name, Path: w.path, Packet: w.packet})
	}
	return onward
}

func (w *walk) undecided(s Step) then { return w.decide(Unknown, s) }

// harmless targets change nothing that a verdict depends on.
func harmless(t Target) bool {
	switch t := t.(type) {
	case nil, Log:
		return true
	case OpaqueTarget:
		return t.Kind() == Passive
	}
	return false
}

// apply carries out a rule's target on the packet.
func (w *walk) apply(s Step) then {
	switch t := s.Rule.Target.(type) {
	case Verdict:
		return w.verdict(t, s)
	case JumpTo:
		return w.jump(t, s)
	case Redirect:
		return w.redirect(t, s)
	case TProxy:
		w.mark(w.packet.Mark&^t.Mask ^ t.Mark)
		return w.capture(TProxied, t.Port, s)
	case SetMark:
		w.mark(w.packet.Mark&^t.Mask ^ t.Value)
	case SaveMark:
		w.connMark(w.packet.ConnMark&^t.CTMask ^ w.packet.Mark&t.NFMask)
	case RestoreMark:
		if w.packet.tracked() { // no connection, no mark to restore (net/netfilter/xt_connmark.c)
			w.mark(w.packet.Mark&^t.NFMask ^ w.packet.ConnMark&t.CTMask)
		}
	case Zone:
		if w.fresh() {
			w.out.Zone = t.ID
		}
	case OpaqueTarget:
		return w.opaque(t, s)
	}
	return onward
}

// fresh packets are those that conntrack's own targets take: none that has a
// zone, is untracked, or came by lo, where it was seen when it left
// (net/netfilter/xt_CT.c).
func (w *walk) fresh() bool {
	return w.out.Zone == 0 && w.packet.state() != StateUntracked && w.packet.In != "lo"
}

func (w *walk) opaque(t OpaqueTarget, s Step) then {
	switch t.Kind() {
	case Passive:
		return onward
	case Rejects:
		return w.decide(Dropped, s)
	case RewritesSource:
		return through
	case Untracks:
		if w.fresh() {
			w.packet.State = StateUntracked
		}
		return onward
	}
	return w.undecided(s)
}

func (w *walk) verdict(v Verdict, s Step) then {
	switch v {
	case VerdictReturn:
		w.stop(s)
		return back
	case VerdictAccept:
		w.stop(s)
		return through
	case VerdictDrop:
		return w.decide(Dropped, s)
	}
	return w.undecided(s)
}

// stop notes a step that let the packet pass; one that captured it weighs more.
func (w *walk) stop(s Step) {
	if w.out.Fate == Passed {
		w.out.Stop = s
	}
}

func (w *walk) jump(j JumpTo, s Step) then {
	c, ok := w.lookup(s.Table, j.Chain)
	if !ok {
		return w.undecided(s)
	}
	next := w.chain(c, s.Depth+1)
	if next == onward && j.Goto {
		return back
	}
	return next
}

// redirect rewrites the destination: to loopback in OUTPUT, to the first
// address of the interface in PREROUTING, which is taken to be the one that
// was dialled (net/netfilter/nf_nat_redirect.c).
func (w *walk) redirect(t Redirect, s Step) then {
	if w.out.Fate == TProxied { // its socket is chosen; nat no longer changes who gets it
		return through
	}
	w.packet.DstPort = t.Port
	if w.path == Leaving {
		w.packet.Dst = Loopback(w.packet.Family())
	}
	return w.capture(Redirected, t.Port, s)
}

// Loopback is where REDIRECT sends what leaves a process: 127.0.0.1 or ::1.
func Loopback(f Family) netip.Addr {
	if f == V6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func (w *walk) capture(f Fate, port Port, s Step) then {
	w.out.Fate, w.out.Port, w.out.Stop = f, port, s
	return through
}

func (w *walk) decide(f Fate, s Step) then {
	w.out.Fate, w.out.Port, w.out.Stop = f, 0, s
	return stopped
}

func (w *walk) mark(v uint32) { w.packet.Mark, w.out.Mark = v, v }

// connMark writes the connection's mark; an untracked packet has no connection.
func (w *walk) connMark(v uint32) {
	if w.packet.tracked() {
		w.packet.ConnMark, w.out.ConnMark = v, v
	}
}
