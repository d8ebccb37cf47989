package diff

import (
	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// turn is one rule's target on the packets that it matched: they go onward to
// the next rule, back behind the jump, through out of the table, or end.
type turn struct {
	*walk
	chain                      iptables.Chain
	depth                      int
	set, onward, back, through bdd.Ref
}

func (t *turn) take(target iptables.Target) {
	switch x := target.(type) {
	case iptables.Verdict:
		t.verdict(x)
	case iptables.JumpTo:
		t.jump(x)
	case iptables.Redirect:
		t.redirect(x)
	case iptables.TProxy:
		t.write(&t.mark, x.Mark, x.Mask)
		t.meet(t.caught, end{Fate: iptables.TProxied, Port: x.Port}, t.set)
	case iptables.OpaqueTarget:
		t.opaque(x)
	default:
		t.change(target)
		t.onward = t.set
	}
}

// change carries out the targets that alter marks and zones.
func (t *turn) change(target iptables.Target) {
	switch x := target.(type) {
	case iptables.SetMark:
		t.write(&t.mark, x.Value, x.Mask)
	case iptables.SaveMark:
		t.copyMark(&t.connMark, x.CTMask, &t.mark, x.NFMask)
	case iptables.RestoreMark:
		t.copyMark(&t.mark, x.NFMask, &t.connMark, x.CTMask)
	case iptables.Zone:
		before, ok := t.zones[x.ID]
		if !ok {
			before = bdd.Nothing
		}
		t.zones[x.ID] = t.Or(before, t.fresh())
	}
}

// fresh is the packets that conntrack's own targets take: none that has a zone,
// is untracked, or was seen when it left (net/netfilter/xt_CT.c).
func (t *turn) fresh() bdd.Ref {
	if t.flow.again {
		return bdd.Nothing
	}
	set := t.Minus(t.Minus(t.set, t.untracked), t.inState(iptables.StateUntracked))
	for _, zoned := range t.zones {
		set = t.Minus(set, zoned)
	}
	return set
}

func (t *turn) verdict(v iptables.Verdict) {
	switch v {
	case iptables.VerdictReturn:
		t.back = t.set
	case iptables.VerdictAccept:
		t.through = t.set
	case iptables.VerdictDrop:
		t.meet(t.ends, end{Fate: iptables.Dropped}, t.set)
	default:
		t.meet(t.ends, end{Fate: iptables.Unknown, What: string(v)}, t.set)
	}
}

func (t *turn) jump(j iptables.JumpTo) {
	c, ok := t.tables[t.chain.Table][j.Chain]
	if !ok {
		t.meet(t.ends, end{Fate: iptables.Unknown, What: "a jump to the missing chain " + j.Chain}, t.set)
		return
	}
	var ended bdd.Ref
	ended, t.through = t.walk.chain(c, t.set, t.depth+1)
	if j.Goto {
		t.back = ended
	} else {
		t.onward = ended
	}
}

func (t *turn) redirect(x iptables.Redirect) {
	if t.flow.end.Fate == iptables.TProxied {
		t.through = t.set
		return
	}
	t.meet(t.caught, end{Fate: iptables.Redirected, Port: x.Port}, t.set)
}

func (t *turn) opaque(x iptables.OpaqueTarget) {
	switch x.Kind() {
	case iptables.Passive:
		t.onward = t.set
	case iptables.Rejects:
		t.meet(t.ends, end{Fate: iptables.Dropped}, t.set)
	case iptables.RewritesSource:
		t.through = t.set
	case iptables.Untracks:
		t.untracked = t.Or(t.untracked, t.fresh())
		t.onward = t.set
	default:
		text := iptables.Rule{Target: x}.String()
		t.meet(t.ends, end{Fate: iptables.Unknown, What: text}, t.set)
	}
}

// write clears the bits of a mask and exclusive-ors a value, in the packets at hand.
func (t *turn) write(bits *word, value, mask uint32) {
	for i := range bits {
		b := bits[i]
		if mask>>i&1 == 1 {
			b = bdd.Nothing
		}
		bits[i] = t.If(t.set, inverted(b, value>>i&1 == 1), bits[i])
	}
}

// copyMark copies one mark into another; without a connection there is nothing
// to copy to or from.
func (t *turn) copyMark(to *word, toMask uint32, from *word, fromMask uint32) {
	set := t.And(t.set, t.tracked())
	for i := range to {
		b := to[i]
		if toMask>>i&1 == 1 {
			b = bdd.Nothing
		}
		if fromMask>>i&1 == 1 {
			b = t.Xor(b, from[i])
		}
		to[i] = t.If(set, b, to[i])
	}
}
