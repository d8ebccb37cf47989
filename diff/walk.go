package diff

import (
	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// end is how packets end.
type end struct {
	Fate iptables.Fate
	Port iptables.Port
	// Kept: left alone by the rules, but its mark routes it back to this host.
	Kept bool
	What string // of Unknown: the target that is not modelled
}

// word is the bits of a mark, the lowest first, each a function of the packet.
type word [32]bdd.Ref

// device is an interface that a condition compares with: the packet's own, or
// one of a fixed name.
type device struct {
	own  bool
	name string
}

// flow is packets that are alike so far but for what their sets say.
type flow struct {
	set     bdd.Ref
	end     end
	path    iptables.Path
	again   bool // on its second way, by lo
	in, out device
	// REDIRECT has rewritten the destination: the port, and of what left a
	// process the address too.
	newPort    iptables.Port
	toLoopback bool
}

// walk sends all packets through one rule set.
type walk struct {
	*space
	tables map[iptables.Table]map[string]iptables.Chain
	routed []uint32 // marks that policy routing delivers here

	mark, connMark word
	untracked      bdd.Ref
	zones          map[uint16]bdd.Ref

	// shadow is all combinations of the values that the packets' dimensions
	// have. It is small, and a rule that does not meet it meets no packet.
	shadow bdd.Ref
	flow   flow            // whose packets are being judged
	caught map[end]bdd.Ref // of this hook, by the end they have met
	ends   map[end]bdd.Ref // for good
}

func newWalk(s *space, rs iptables.Ruleset, routed []uint32) *walk {
	w := &walk{
		space: s, routed: routed, untracked: bdd.Nothing,
		tables: map[iptables.Table]map[string]iptables.Chain{},
		zones:  map[uint16]bdd.Ref{},
		ends:   map[end]bdd.Ref{},
	}
	for _, c := range rs.Chains {
		if w.tables[c.Table] == nil {
			w.tables[c.Table] = map[string]iptables.Chain{}
		}
		if _, twice := w.tables[c.Table][c.Name]; !twice {
			c.Rules = iptables.JoinRuns(c.Rules, iptables.Runs{}) // one large set costs less than many unions
			w.tables[c.Table][c.Name] = c
		}
	}
	for i := range 32 {
		w.mark[i] = s.Var(s.fields[dimMark].level(31 - i))
		w.connMark[i] = s.Var(s.fields[dimConnMark].level(31 - i))
	}
	return w
}

// run sends a set of packets their whole way.
func (w *walk) run(packets bdd.Ref) {
	w.shadow = w.shadowOf(packets)
	leaving := w.Var(w.fields[dimPath].first)
	w.finish(w.hooks([]flow{{
		set: w.Minus(packets, leaving), path: iptables.Arriving, in: device{own: true},
	}}))
	w.finish(w.hooks(w.backByLo(w.hooks([]flow{{
		set: w.And(packets, leaving), path: iptables.Leaving, out: device{own: true},
	}}))))
}

// finish notes the ends of packets that have gone all their way.
func (w *walk) finish(flows []flow) {
	for _, f := range flows {
		w.meet(w.ends, f.end, f.set)
	}
}

func (w *walk) meet(ends map[end]bdd.Ref, e end, set bdd.Ref) {
	before, ok := ends[e]
	if !ok {
		before = bdd.Nothing
	}
	if set != bdd.Nothing {
		ends[e] = w.Or(before, set)
	}
}

// backByLo picks what arrives by lo after it has left, and finishes the rest.
func (w *walk) backByLo(flows []flow) []flow {
	var again []flow
	next := func(f flow, set bdd.Ref, kept bool) {
		if set == bdd.Nothing {
			return
		}
		f.set, f.path, f.again = set, iptables.Arriving, true
		f.in, f.out = device{name: "lo"}, device{}
		f.end.Kept = kept
		again = append(again, f)
	}
	for _, f := range flows {
		byLo := w.And(f.set, w.named("lo"))
		if f.end.Fate == iptables.Redirected {
			byLo = f.set
		}
		next(f, byLo, false)
		rest := w.Minus(f.set, byLo)
		for _, mark := range w.routed {
			kept := w.And(rest, w.equals(&w.mark, mark, iptables.FullMask))
			next(f, kept, true)
			rest = w.Minus(rest, kept)
		}
		w.meet(w.ends, f.end, rest)
	}
	return again
}

// hooks sends flows of one path through its hooks.
func (w *walk) hooks(flows []flow) []flow {
	if len(flows) == 0 {
		return nil
	}
	for _, h := range flows[0].path.Hooks() {
		c, ok := w.tables[h.Table][h.Chain]
		if !ok {
			continue
		}
		var next []flow
		for _, f := range flows {
			if h.Chain == iptables.Postrouting && f.end.Fate == iptables.Redirected {
				f.out = device{name: "lo"}
			}
			next = append(next, w.hook(c, f)...)
		}
		flows = next
	}
	return flows
}

// hook sends one flow through one table's chain. What is captured becomes
// flows of its own.
func (w *walk) hook(c iptables.Chain, f flow) []flow {
	w.flow, w.caught = f, map[end]bdd.Ref{}
	judged := f.set
	if c.Table == iptables.Nat {
		judged = w.And(f.set, w.firstOfConnection())
	}
	passed := w.Minus(f.set, judged)
	back, through := w.chain(c, judged, 0)
	if c.Policy == iptables.VerdictDrop {
		w.meet(w.ends, end{Fate: iptables.Dropped}, back)
	} else {
		passed = w.Or(passed, back)
	}
	var flows []flow
	if f.set = w.Or(passed, through); f.set != bdd.Nothing {
		flows = append(flows, f)
	}
	for _, e := range sortedEnds(w.caught) {
		g := f
		g.set, g.end = w.caught[e], e
		if e.Fate == iptables.Redirected {
			g.newPort, g.toLoopback = e.Port, f.path == iptables.Leaving
		}
		flows = append(flows, g)
	}
	return flows
}

// firstOfConnection is the packets for which nat is asked; see iptables.Ruleset.Trace.
func (w *walk) firstOfConnection() bdd.Ref {
	if w.flow.again {
		return bdd.Nothing
	}
	reply := w.Var(w.fields[dimReply].first)
	return w.Minus(w.Minus(w.inState(iptables.StateNew, iptables.StateRelated), reply), w.untracked)
}

const deepest = 64 // as iptables.Tracer

// chain sends packets through a chain. back is those that come to its end or
// return, through those that leave the table.
func (w *walk) chain(c iptables.Chain, alive bdd.Ref, depth int) (back, through bdd.Ref) {
	back, through = bdd.Nothing, bdd.Nothing
	if depth > deepest {
		w.meet(w.ends, end{Fate: iptables.Unknown, What: "a loop of chains"}, alive)
		return back, through
	}
	for i := 0; i < len(c.Rules) && alive != bdd.Nothing; i++ {
		matched := w.matched(c.Rules[i], alive)
		if matched == bdd.Nothing {
			continue
		}
		t := turn{walk: w, chain: c, depth: depth, set: matched, onward: bdd.Nothing, back: bdd.Nothing, through: bdd.Nothing}
		t.take(c.Rules[i].Target)
		back, through = w.Or(back, t.back), w.Or(through, t.through)
		if t.onward != matched {
			alive = w.Or(w.Minus(alive, matched), t.onward)
		}
	}
	return w.Or(back, alive), through
}

func (w *walk) matched(r iptables.Rule, alive bdd.Ref) bdd.Ref {
	set := bdd.Everything
	for i := len(r.Match) - 1; i >= 0; i-- {
		set = w.And(set, w.holds(r.Match[i]))
	}
	if w.And(w.shadow, set) == bdd.Nothing {
		return bdd.Nothing
	}
	return w.And(alive, set)
}
