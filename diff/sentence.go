package diff

import (
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// tell puts all differences into words: new connections first, then what else
// differs and was not told with them.
func (c *comparison) tell(r *Result) {
	changes := c.changes()
	told := bdd.Nothing
	for _, x := range changes {
		t := teller{c, r, Connections, c.And(c.feasible, c.ordinary())}
		told = c.Or(told, t.tell(change{c.And(x.set, c.ordinary()), x.was, x.now}, c.And(x.set, c.firstPackets())))
	}
	rest := teller{c, r, Packets, c.Minus(c.feasible, told)}
	for _, x := range changes {
		x.set = c.Minus(x.set, told)
		rest.tell(x, x.set)
	}
	marks := teller{c, r, Marks, c.feasible}
	for _, x := range c.traces() {
		marks.tell(x, x.set)
	}
}

// firstPackets of connections are those that nat is asked for.
func (c *comparison) firstPackets() bdd.Ref {
	return c.Minus(c.inState(iptables.StateNew, iptables.StateRelated), c.Var(c.fields[dimReply].first))
}

// ordinary is the first packets of connections, without any mark: what people
// ask about.
func (c *comparison) ordinary() bdd.Ref {
	return c.And(c.And(c.firstPackets(), c.opening()), c.And(c.is(dimMark, 0), c.is(dimConnMark, 0)))
}

// opening is the packets that are not in the middle of a TCP connection.
func (c *comparison) opening() bdd.Ref { return c.Var(c.fields[dimMidstream].first).Not() }

// teller makes sentences of one kind. Packets outside of care need not be told
// apart.
type teller struct {
	*comparison
	result *Result
	kind   Kind
	care   bdd.Ref
}

// tell puts a change into words, and returns the packets that are told by them:
// the change's own, and of the wider set those that the same sentence is true of.
func (t teller) tell(x change, wider bdd.Ref) (told bdd.Ref) {
	if x.set == bdd.Nothing {
		return bdd.Nothing
	}
	found, more := t.boxes(x.set, t.care, max(0, mostSentences-len(t.result.Differences)))
	t.result.More = t.result.More || more
	told = x.set
	for _, b := range found {
		if t.kind == Connections {
			b.values[dimMidstream] = bdd.Everything
		}
		product := t.And(t.feasible, t.product(b))
		if t.kind == Connections {
			product = t.And(product, t.firstPackets())
			if t.Minus(product, wider) != bdd.Nothing {
				product = t.And(product, t.opening())
			}
			b.values[dimReply], b.values[dimState] = bdd.Everything, t.inState(iptables.StateNew)
		}
		d := Difference{Kind: t.kind, Packets: t.describe(b), Was: x.was, Now: x.now}
		d.Example, d.Path = t.example(t.And(x.set, product))
		t.result.Differences = append(t.result.Differences, d)
		if t.Minus(product, wider) == bdd.Nothing {
			told = t.Or(told, product)
		}
	}
	return told
}

// product is the packets of a box.
func (c *comparison) product(b box) bdd.Ref {
	set := bdd.Everything
	for i := len(b.given) - 1; i >= 0; i-- {
		set = c.And(set, inverted(c.Var(c.end()+b.given[i].index), !b.given[i].holds))
	}
	for d := dimensions - 1; d >= 0; d-- {
		if d == dimGID && b.either {
			continue
		}
		if d == dimUID && b.either {
			set = c.And(set, c.Or(b.values[dimUID], b.values[dimGID]))
			continue
		}
		set = c.And(set, b.values[d])
	}
	return set
}

// describe is a box in words: "TCP from uid 1337 over lo to its own address, port 15008".
func (c *comparison) describe(b box) string {
	parts := []string{c.protocols(b) + c.senders(b) + c.ways(b) + c.destinations(b)}
	for _, s := range []string{
		c.ports(b, dimDstPort, "port"), c.addresses(b, dimSrc, "from"), c.ports(b, dimSrcPort, "source port"), c.stateWords(b),
		c.markWords(b.values[dimMark]), c.transparent(b), c.midstream(b),
	} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	for _, g := range b.given {
		holds := "does not hold"
		if g.holds {
			holds = "holds"
		}
		parts = append(parts, fmt.Sprintf("where “%s” %s", c.opaque[g.index], holds))
	}
	return strings.Join(parts, ", ")
}

func (c *comparison) protocols(b box) string {
	values := b.values[dimProtocol]
	name := func(i interval) string {
		if i.first == i.last {
			return strings.ToUpper(iptables.ProtocolName(uint8(i.first)))
		}
		return fmt.Sprintf("protocols %d to %d", i.first, i.last)
	}
	switch few, ok := c.intervals(dimProtocol, values, 4); {
	case values == bdd.Everything:
		return "everything"
	case ok && few[len(few)-1].last != 255:
		return list(few, name, "and")
	}
	few, _ := c.intervals(dimProtocol, values.Not(), 256)
	return "everything but " + list(few, name, "and")
}

// list is "a", "a and b", "a, b and c", or with many elements the first few
// and how many more.
func list[T any](elements []T, name func(T) string, and string) string {
	const most = 6
	texts := make([]string, 0, len(elements))
	for _, e := range elements {
		texts = append(texts, name(e))
	}
	switch n := len(texts); {
	case n < 2:
		return strings.Join(texts, "")
	case n > most+1:
		return strings.Join(texts[:most], ", ") + fmt.Sprintf(" %s %d more", and, n-most)
	default:
		return strings.Join(texts[:n-1], ", ") + " " + and + " " + texts[n-1]
	}
}

func (c *comparison) transparent(b box) string {
	socket := c.Var(c.fields[dimTransparent].first)
	return map[bdd.Ref]string{socket: "with a transparent socket", socket.Not(): "without a transparent socket"}[b.values[dimTransparent]]
}

func (c *comparison) midstream(b box) string {
	return map[bdd.Ref]string{c.opening(): "that opens a connection", c.opening().Not(): "in mid-stream"}[b.values[dimMidstream]]
}
