package diff

import (
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// traces are differences that packets of the same end leave behind.
func (c *comparison) traces() []change {
	var list []change
	alike := c.alike()
	add := func(set bdd.Ref, was, now string) {
		if alike == bdd.Nothing {
			return
		}
		if set = c.And(alike, set); set != bdd.Nothing {
			list = append(list, change{set, was, now})
			alike = c.Minus(alike, set)
		}
	}
	for _, a := range zoneIDs(c.was, c.now) {
		for _, b := range zoneIDs(c.was, c.now) {
			if a != b {
				add(c.And(c.was.inZone(a), c.now.inZone(b)), zoneWords(a), zoneWords(b))
			}
		}
	}
	for _, m := range c.was.routed {
		was, now := c.was.equals(&c.was.mark, m, iptables.FullMask), c.now.equals(&c.now.mark, m, iptables.FullMask)
		add(c.Minus(was, now), markWords(m), "without that mark")
		add(c.Minus(now, was), "without TPROXY's mark", markWords(m))
	}
	c.connMarks(add)
	return mergeEqualWords(c, list)
}

// connMarks finds connections whose mark ends differently in a bit that a rule
// reads; what only one side tracks has no mark on the other.
func (c *comparison) connMarks(add func(bdd.Ref, string, string)) {
	read, tracked := c.was.connMarkRead()|c.now.connMarkRead(), c.Or(c.was.tracked(), c.now.tracked())
	differ := bdd.Nothing
	for i := range 32 {
		if read>>i&1 == 1 {
			differ = c.Or(differ, c.Xor(c.was.connMark[i], c.now.connMark[i]))
		}
	}
	differ = c.And(differ, tracked)
	for _, m := range c.was.routed {
		was, now := c.was.equals(&c.was.connMark, m, read), c.now.equals(&c.now.connMark, m, read)
		add(c.And(differ, c.Minus(was, now)), fmt.Sprintf("its connection marked %#x", m), "its connection not marked so")
		add(c.And(differ, c.Minus(now, was)), "its connection not marked", fmt.Sprintf("its connection marked %#x", m))
	}
	add(differ, "one mark for its connection", "another mark for its connection")
}

// connMarkRead is the bits of connection marks that the rules look at.
func (w *walk) connMarkRead() (bits uint32) {
	for _, chains := range w.tables {
		for _, c := range chains {
			for i := range c.Rules {
				if t, ok := c.Rules[i].Target.(iptables.RestoreMark); ok {
					bits |= t.CTMask
				}
				for _, m := range c.Rules[i].Match {
					if cm, ok := m.(iptables.ConnMark); ok {
						bits |= cm.Mask
					}
				}
			}
		}
	}
	return bits
}

// inZone is the packets of a conntrack zone; 0 is none.
func (w *walk) inZone(id uint16) bdd.Ref {
	if id != 0 {
		if set, ok := w.zones[id]; ok {
			return set
		}
		return bdd.Nothing
	}
	set := bdd.Everything
	for _, zoned := range w.zones {
		set = w.Minus(set, zoned)
	}
	return set
}

func zoneIDs(walks ...*walk) []uint16 {
	ids := []uint16{0}
	for _, w := range walks {
		for id := range w.zones {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// routedMarks are the marks for which TPROXY's users make a rule and a route.
func routedMarks(sets ...iptables.Ruleset) []uint32 {
	var marks []uint32
	for _, rs := range sets {
		for _, c := range rs.Chains {
			for i := range c.Rules {
				if t, ok := c.Rules[i].Target.(iptables.TProxy); ok && !slices.Contains(marks, t.Mark) && t.Mark != 0 {
					marks = append(marks, t.Mark)
				}
			}
		}
	}
	slices.Sort(marks)
	return marks
}
