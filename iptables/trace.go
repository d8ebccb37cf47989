package iptables

// Path is the way a packet takes through the hooks.
type Path uint8

// The two paths that interception can see.
const (
	Arriving Path = iota // PREROUTING, then INPUT
	Leaving              // OUTPUT, then POSTROUTING
)

// String returns "arriving" or "leaving".
func (p Path) String() string {
	if p == Leaving {
		return "leaving"
	}
	return "arriving"
}

// Hook is one table's built-in chain on a path.
type Hook struct {
	Table Table
	Chain string
}

// Hooks lists the chains of a path in the order in which a packet meets them.
// Order and priorities: include/uapi/linux/netfilter_ipv4.h.
func (p Path) Hooks() []Hook {
	if p == Leaving {
		return []Hook{
			{Raw, Output},
			{Mangle, Output},
			{Nat, Output},
			{Filter, Output},
			{Security, Output},
			{Mangle, Postrouting},
			{Nat, Postrouting},
		}
	}
	return []Hook{
		{Raw, Prerouting},
		{Mangle, Prerouting},
		{Nat, Prerouting},
		{Mangle, Input},
		{Filter, Input},
		{Security, Input},
		{Nat, Input},
	}
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
	// Packet is the packet as it was at the end of its way.
	Packet Packet
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
	// Path and Packet are the way the packet was on, and the packet as this
	// rule saw it: marks and destination may have changed since it set out.
	Path   Path
	Packet Packet
}

// Tracer sends packets through a rule set. The zero value of its functions
// watches nothing and supposes nothing.
type Tracer struct {
	rules  Ruleset
	chains map[chainKey]int

	// Visit is shown every rule that a packet meets, in order.
	Visit func(Step)
	// Suppose answers for a condition that this package does not model; with
	// Maybe, or without Suppose, such a condition ends in Unknown.
	Suppose func(Match) Answer
	// Local says whether policy routing delivers packets of a mark to this
	// host, as TPROXY mode's rule and route do. Only Follow asks.
	Local func(mark uint32) bool
}

// Tracer prepares a rule set for many packets.
func (rs Ruleset) Tracer() *Tracer {
	t := &Tracer{rules: rs, chains: make(map[chainKey]int, len(rs.Chains))}
	for i := len(rs.Chains) - 1; i >= 0; i-- { // the first of two, as Chain finds it
		t.chains[chainKey{rs.Chains[i].Table, rs.Chains[i].Name}] = i
	}
	return t
}

// Trace sends a packet along a path and says what became of it. visit, if not
// nil, is shown every rule that the packet meets, in order. A packet that a
// rule captures goes on to the later hooks with its new destination; there it
// can still be dropped.
//
// nat is consulted for the first packet of a connection only, and not when that
// packet arrives by lo: its connection was set up by nat OUTPUT when it left
// (net/netfilter/nf_nat_core.c, nf_nat_inet_fn).
func (rs Ruleset) Trace(p Packet, path Path, visit func(Step)) Outcome {
	t := rs.Tracer()
	t.Visit = visit
	return t.Trace(p, path)
}

// Trace is Ruleset.Trace with what the Tracer supposes.
func (t *Tracer) Trace(p Packet, path Path) Outcome {
	w := walk{Tracer: t, packet: p, path: path}
	w.out = Outcome{Mark: p.Mark, ConnMark: p.ConnMark}
	w.hooks()
	w.out.Packet = w.packet
	return w.out
}

// Follow sends the packet of a connection its whole way within the host: what
// leaves by lo, is redirected to a local port, or is routed here by its mark,
// then arrives by lo.
func (t *Tracer) Follow(p Packet, path Path) Outcome {
	w := walk{Tracer: t, packet: p, path: path}
	w.out = Outcome{Mark: p.Mark, ConnMark: p.ConnMark}
	if w.hooks() && path == Leaving && w.loops() {
		w.path = Arriving
		w.packet.In, w.packet.Out, w.packet.Owner = "lo", "", nil // loopback_xmit orphans the packet
		w.hooks()
	}
	w.out.Packet = w.packet
	return w.out
}

func (w *walk) loops() bool {
	marked := w.Local != nil && w.packet.Mark != 0 && w.Local(w.packet.Mark)
	return w.packet.Out == "lo" || w.out.Fate == Redirected || marked
}

func natApplies(p Packet) bool {
	return (p.state() == StateNew || p.state() == StateRelated) && !p.Reply && p.In != "lo"
}

// walk is one packet on its way.
type walk struct {
	*Tracer
	packet Packet
	path   Path
	out    Outcome
}

func (w *walk) lookup(t Table, name string) (Chain, bool) {
	i, ok := w.chains[chainKey{t, name}]
	if !ok {
		return Chain{}, false
	}
	return w.rules.Chains[i], true
}

// hooks sends the packet through the hooks of its path and says whether it
// came out behind the last.
func (w *walk) hooks() bool {
	for _, h := range w.path.Hooks() {
		if h.Chain == Postrouting && w.out.Fate == Redirected {
			w.packet.Out = "lo" // known to POSTROUTING only: OUTPUT keeps the device it began with
		}
		if h.Table == Nat && !natApplies(w.packet) {
			continue
		}
		c, _ := w.lookup(h.Table, h.Chain) // one that is not there has no rules
		if w.chain(c, 0) == stopped {
			return false
		}
	}
	return true
}
