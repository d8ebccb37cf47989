package diff

import (
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// stateWords: nothing for the first packet of connections, which is what most
// differences are about.
func (c *comparison) stateWords(b box) string {
	reply := c.Var(c.fields[dimReply].first)
	var names []string
	for i, s := range states() {
		if c.And(b.values[dimState], c.is(dimState, uint32(i))) != bdd.Nothing {
			names = append(names, string(s))
		}
	}
	every := len(names) == len(states())
	way := map[bdd.Ref]string{reply: "replies", reply.Not(): "no replies"}[b.values[dimReply]]
	switch {
	case slices.Equal(names, []string{"NEW", "RELATED"}) && b.values[dimReply] != reply, slices.Equal(names, []string{"NEW"}):
		return ""
	case every && way == "":
		return "in any state"
	case every:
		return way
	case way == "no replies":
		way = ""
	}
	text := "in state " + list(names, func(s string) string { return s }, "or")
	if way != "" {
		text += ", " + way
	}
	return text
}

// markWords describe a set of pairs of marks: a product, the complement of one,
// or the comparisons that make it up.
func (c *comparison) markWords(pairs bdd.Ref) string {
	if pairs == bdd.Everything {
		return ""
	}
	if texts, ok := c.markProduct(pairs); ok {
		return list(texts, text, "and")
	}
	if texts, ok := c.markProduct(pairs.Not()); ok {
		return "not both " + list(texts, text, "and")
	}
	return "with certain marks"
}

func text(s string) string { return s }

// markProduct describes pairs whose two marks have nothing to do with one another.
func (c *comparison) markProduct(pairs bdd.Ref) (texts []string, ok bool) {
	marks, connMarks := c.forget(pairs, dimConnMark), c.forget(pairs, dimMark)
	if c.And(marks, connMarks) != pairs {
		return nil, false
	}
	for _, text := range []string{c.marks(marks, dimMark, "marked"), c.marks(connMarks, dimConnMark, "its connection marked")} {
		if text != "" {
			texts = append(texts, text)
		}
	}
	return texts, true
}

func (c *comparison) marks(values bdd.Ref, d dimension, word string) string {
	if values == bdd.Everything {
		return ""
	}
	if text, ok := c.cube(d, values); ok {
		return word + " " + text
	}
	if text, ok := c.cube(d, values.Not()); ok {
		return negated(word) + text
	}
	const many = 1000
	hex := func(i interval) string {
		if i.first == i.last {
			return fmt.Sprintf("%#x", i.first)
		}
		return fmt.Sprintf("%#x-%#x", i.first, i.last)
	}
	in, inOK := c.intervals(d, values, many)
	out, outOK := c.intervals(d, values.Not(), many)
	switch {
	case outOK && (!inOK || len(out) < len(in)):
		return negated(word) + list(out, hex, "or")
	case inOK:
		return word + " " + list(in, hex, "or")
	}
	return word + " with some bits set"
}

// negated puts the "not" where it reads well.
func negated(word string) string {
	if word == "marked" {
		return "not marked "
	}
	return "its connection not marked "
}

// cube is "0x539" or "0x40/0xf0" for values that a single comparison picks out.
func (c *comparison) cube(d dimension, values bdd.Ref) (string, bool) {
	f := c.fields[d]
	var value, mask uint32
	for values != bdd.Everything {
		level, ok := c.Level(values)
		if !ok {
			return "", false
		}
		bit := uint32(1) << (f.bits - 1 - (level-f.first)/f.stride)
		lo, hi := c.Split(values)
		switch mask |= bit; bdd.Nothing {
		case lo:
			values, value = hi, value|bit
		case hi:
			values = lo
		default:
			return "", false
		}
	}
	if mask == iptables.FullMask {
		return fmt.Sprintf("%#x", value), true
	}
	return fmt.Sprintf("%#x/%#x", value, mask), true
}
