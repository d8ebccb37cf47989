package iptables

// Path is the way a packet takes through the hooks.
type Path uint8

// The two paths that interception can see.
const (
	Arriving Path = iota // PREROUTING, then INPUT
	Leaving              // OUTPUT, then POSTROUTING
)

// hook is one table's chain on a path. Order and priorities:
// include/uapi/linux/netfilter_ipv4.h.
type hook struct {
	table Table
	chain string
}

func (p Path) hooks() []hook {
	if p == Leaving {
		return []hook{{Raw, Output}, {Mangle, Output}, {Nat, Output}, {Filter, Output}, {Mangle, Postrouting}, {Nat, Postrouting}}
	}
	return []hook{{Raw, Prerouting}, {Mangle, Prerouting}, {Nat, Prerouting}, {Mangle, Input}, {Filter, Input}, {Nat, Input}}
}

// Fate is how a packet ends.
type Fate uint8

// The fates. Unknown: a condition or target that is not modelled stands in the way.
const (
	Passed Fate = iota
	Dropped
	Redirected
	TProxied
	Unknown
)

// Outcome is what the rules did with a packet.
type Outcome struct {
	Fate           Fate
	Port           Port // of Redirected and TProxied: where the packet went
	Mark, ConnMark uint32
	Zone           uint16
	// Stop is the step that decided; zero if the packet met no deciding rule.
	Stop Step
}

// Step is one rule that a packet met.
type Step struct {
	Table  Table
	Chain  string
	Number int // of the rule in its chain, from 1; 0 for the chain's end
	Rule   Rule
	Answer Answer
	// Because is the condition that did not hold, or could not be decided.
	Because Match
	// Depth counts the jumps that led here.
	Depth int
}

// Trace sends a packet along a path and says what became of it. visit, if not
// nil, is shown every rule that the packet meets, in order.
//
// nat is consulted for the first packet of a connection only, and not when that
// packet arrives by lo: its connection was set up by nat OUTPUT when it left
// (net/netfilter/nf_nat_core.c, nf_nat_inet_fn).
func (rs Ruleset) Trace(p Packet, path Path, visit func(Step)) Outcome {
	w := walk{rules: rs, packet: p, visit: visit}
	w.out = Outcome{Mark: p.Mark, ConnMark: p.ConnMark}
	for _, h := range path.hooks() {
		if h.table == Nat && !natApplies(p) {
			continue
		}
		c, ok := rs.Chain(h.table, h.chain)
		if !ok {
			continue
		}
		if w.chain(c, 0) == stopped {
			break
		}
	}
	return w.out
}

func natApplies(p Packet) bool {
	return (p.state() == StateNew || p.state() == StateRelated) && !p.Reply && p.In != "lo"
}

// walk is one packet on its way.
type walk struct {
	rules  Ruleset
	packet Packet
	visit  func(Step)
	out    Outcome
}

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
		return w.undecided(Step{Table: c.Table, Chain: c.Name, Depth: depth})
	}
	for i, r := range c.Rules {
		a, because := r.Holds(w.packet)
		s := Step{c.Table, c.Name, i + 1, r, a, because, depth}
		if w.visit != nil {
			w.visit(s)
		}
		if a == No {
			continue
		}
		if a == Maybe && !harmless(r.Target) {
			return w.undecided(s)
		}
		if next := w.apply(s); next == back {
			break
		} else if next != onward {
			return next
		}
	}
	return w.end(c, depth)
}

// end is what happens at the end of a chain: the policy of a built-in one.
func (w *walk) end(c Chain, depth int) then {
	if depth > 0 {
		return onward
	}
	if c.Policy == VerdictDrop {
		w.out.Fate = Dropped
		w.out.Stop = Step{Table: c.Table, Chain: c.Name}
		return stopped
	}
	return through
}

func (w *walk) undecided(s Step) then {
	w.out.Fate, w.out.Stop = Unknown, s
	return stopped
}

// harmless targets change nothing that a verdict depends on.
func harmless(t Target) bool {
	switch t := t.(type) {
	case nil, Log:
		return true
	case OpaqueTarget:
		return position(passive(), t.Name) >= 0
	}
	return false
}

// passive lists targets of other modules that look at a packet and let it go on.
func passive() []string {
	return []string{"NFLOG", "TRACE", "LED", "RATEEST", "IDLETIMER", "AUDIT", "TCPMSS", "TTL", "HL", "DSCP", "TOS", "CLASSIFY", "CHECKSUM", "SET"}
}

// apply carries out a rule's target on the packet.
func (w *walk) apply(s Step) then {
	switch t := s.Rule.Target.(type) {
	case Verdict:
		return w.verdict(t, s)
	case JumpTo:
		return w.jump(t, s)
	case Redirect:
		return w.decide(Redirected, t.Port, s)
	case TProxy:
		w.mark(w.packet.Mark&^t.Mask ^ t.Mark)
		return w.decide(TProxied, t.Port, s)
	case SetMark:
		w.mark(w.packet.Mark&^t.Mask ^ t.Value)
	case SaveMark:
		w.connMark(w.packet.ConnMark&^t.CTMask ^ w.packet.Mark&t.NFMask)
	case RestoreMark:
		w.mark(w.packet.Mark&^t.NFMask ^ w.packet.ConnMark&t.CTMask)
	case Zone:
		if w.out.Zone == 0 { // a packet that has a zone keeps it (net/netfilter/xt_CT.c)
			w.out.Zone = t.ID
		}
	default:
		if !harmless(t) {
			return w.undecided(s)
		}
	}
	return onward
}

func (w *walk) verdict(v Verdict, s Step) then {
	switch v {
	case VerdictReturn:
		w.out.Stop = s
		return back
	case VerdictAccept:
		w.out.Stop = s
		return through
	case VerdictDrop:
		return w.decide(Dropped, 0, s)
	}
	return w.undecided(s)
}

func (w *walk) jump(j JumpTo, s Step) then {
	c, ok := w.rules.Chain(s.Table, j.Chain)
	if !ok {
		return w.undecided(s)
	}
	next := w.chain(c, s.Depth+1)
	if next == onward && j.Goto {
		return back
	}
	return next
}

func (w *walk) decide(f Fate, port Port, s Step) then {
	w.out.Fate, w.out.Port, w.out.Stop = f, port, s
	return stopped
}

func (w *walk) mark(v uint32) { w.packet.Mark, w.out.Mark = v, v }

// connMark writes the connection's mark; an untracked packet has no connection.
func (w *walk) connMark(v uint32) {
	if w.packet.tracked() {
		w.packet.ConnMark, w.out.ConnMark = v, v
	}
}
