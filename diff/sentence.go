package diff

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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
	return c.And(c.firstPackets(), c.And(c.is(dimMark, 0), c.is(dimConnMark, 0)))
}

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
		product := t.And(t.feasible, t.product(b))
		if t.kind == Connections {
			product = t.And(product, t.firstPackets())
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
		c.markWords(b.values[dimMark]), c.transparent(b),
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

func (c *comparison) senders(b box) string {
	owned := c.Var(c.fields[dimOwned].first)
	if b.values[dimOwned] == owned.Not() {
		if c.leaving(b) {
			return " from no process"
		}
		return ""
	}
	switch uid, gid := c.ids(b, dimUID, "uid"), c.ids(b, dimGID, "gid"); {
	case uid == "" && gid == "" && b.values[dimOwned] == owned:
		return " from a process"
	case uid == "" && gid == "":
		return ""
	case uid == "" || gid == "":
		return " from " + uid + gid
	case b.either:
		return " from " + uid + " or " + gid
	case strings.HasPrefix(uid, "any ") && strings.HasPrefix(gid, "any "):
		return " from anybody but " + excepted(uid) + " and " + excepted(gid)
	case strings.HasPrefix(uid, "any "):
		return " from " + gid + " with " + uid
	default:
		return " from " + uid + " with " + gid
	}
}

// excepted turns "any uid but 5 and 6" into "uids 5 and 6".
func excepted(text string) string {
	word, ids, _ := strings.Cut(strings.TrimPrefix(text, "any "), " but ")
	if strings.ContainsAny(ids, " -") {
		word += "s"
	}
	return word + " " + ids
}

func (c *comparison) ids(b box, d dimension, word string) string {
	return c.numbers(d, b.values[d], word, 1<<32-1)
}

// numbers are "uid 5", "uids 5 to 9 and 12", "any uid but 5"; "" for any.
func (c *comparison) numbers(d dimension, values bdd.Ref, word string, last uint32) string {
	if values == bdd.Everything {
		return ""
	}
	const many = 100000
	in, inOK := c.intervals(d, values, many)
	out, outOK := c.intervals(d, values.Not(), many)
	name := func(i interval) string {
		if i.first == i.last {
			return strconv.FormatUint(uint64(i.first), 10)
		}
		return fmt.Sprintf("%d-%d", i.first, i.last)
	}
	top := slices.ContainsFunc(in, func(i interval) bool { return i.last == last && i.first != last })
	switch {
	case outOK && top && len(out) <= len(in):
		return "any " + word + " but " + list(out, name, "and")
	case inOK && len(in) == 1 && in[0].first == in[0].last:
		return word + " " + name(in[0])
	case inOK:
		return word + "s " + list(in, name, "and")
	}
	return "some " + word + "s"
}

func (c *comparison) ports(b box, d dimension, word string) string {
	return c.numbers(d, b.values[d], word, 1<<16-1)
}

// leaving says whether a box has only packets that leave a process.
func (c *comparison) leaving(b box) bool {
	return b.values[dimPath] == c.Var(c.fields[dimPath].first)
}

// ways are direction and interface.
func (c *comparison) ways(b box) string {
	arriving := b.values[dimPath] == c.Var(c.fields[dimPath].first).Not()
	names, but := c.interfaces(b, arriving)
	switch {
	case c.leaving(b) && len(names) == 1 && names[0] == "lo" && !but:
		return " over lo"
	case c.leaving(b):
		return " leaving" + byNames(names, but)
	case arriving:
		return " arriving" + byNames(names, but)
	}
	return byNames(names, but)
}

// interfaces are the names of a box's interfaces; with but those it leaves out.
func (c *comparison) interfaces(b box, arriving bool) (names []string, but bool) {
	var in, out []string
	for i, name := range c.classes {
		if arriving && name == "lo" {
			continue
		}
		if c.And(b.values[dimInterface], c.is(dimInterface, uint32(i))) == bdd.Nothing {
			out = append(out, name)
		} else {
			in = append(in, name)
		}
	}
	switch {
	case len(out) == 0:
		return nil, false
	case slices.Contains(in, "*"):
		return out, true
	}
	return in, false
}

func byNames(names []string, but bool) string {
	text := list(names, func(s string) string { return s }, "and")
	switch {
	case len(names) == 0:
		return ""
	case but:
		return " by any interface but " + text
	}
	return " by " + text
}

// destinations: over lo, anything but loopback is the pod's own address.
func (c *comparison) destinations(b box) string {
	overLo := c.leaving(b) && c.ways(b) == " over lo"
	if overLo && slices.Contains(c.loopbacks, b.values[dimDst].Not()) {
		return " to its own address"
	}
	if overLo && slices.Contains(c.loopbacks, b.values[dimDst]) {
		if p, ok := c.prefixes(dimDst, b.values[dimDst], 1); ok && p[0].IsSingleIP() {
			return " to " + p[0].Addr().String()
		}
	}
	if text := c.addresses(b, dimDst, "to"); text != "" {
		return " " + text
	}
	return ""
}

func (c *comparison) addresses(b box, d dimension, word string) string {
	values := b.values[d]
	if values == bdd.Everything {
		return ""
	}
	const many = 100000
	in, inOK := c.prefixes(d, values, many)
	out, outOK := c.prefixes(d, values.Not(), many)
	name := func(p netip.Prefix) string {
		if p.IsSingleIP() {
			return p.Addr().String()
		}
		return p.String()
	}
	cover := c.cover(d, values)
	gaps, gapsOK := c.prefixes(d, c.Minus(c.within(d, cover), values), many)
	switch {
	case outOK && (!inOK || len(out) < len(in)):
		return word + " any address but " + list(out, name, "and")
	case gapsOK && len(gaps) > 0 && len(gaps) < len(in):
		return word + " " + name(cover) + " but " + list(gaps, name, "and")
	case inOK:
		return word + " " + list(in, name, "and")
	}
	return word + " some addresses"
}

// cover is the smallest prefix that holds all addresses of a set.
func (c *comparison) cover(d dimension, values bdd.Ref) netip.Prefix {
	f := c.fields[d]
	bytes := make([]byte, f.bits/8)
	for depth := range f.bits {
		level, ok := c.Level(values)
		lo, hi := values, values
		if ok && level == f.level(depth) {
			lo, hi = c.Split(values)
		}
		switch bdd.Nothing {
		case lo:
			bytes[depth/8] |= 1 << (7 - depth%8)
			values = hi
		case hi:
			values = lo
		default:
			return prefix(bytes, depth)
		}
	}
	return prefix(bytes, f.bits)
}

func prefix(bytes []byte, bits int) netip.Prefix {
	addr, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(addr, bits)
}

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

func (c *comparison) transparent(b box) string {
	socket := c.Var(c.fields[dimTransparent].first)
	return map[bdd.Ref]string{socket: "with a transparent socket", socket.Not(): "without a transparent socket"}[b.values[dimTransparent]]
}
