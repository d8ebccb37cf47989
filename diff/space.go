package diff

import (
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// dimension is something that rules can see of a packet. Their order is that
// of the bits in a set and of the words in a sentence.
type dimension int

const (
	dimPath dimension = iota // 0 arriving, 1 leaving
	dimProtocol
	dimReply
	dimState
	dimInterface // index into the classes of names
	dimOwned     // has a sending socket
	dimUID
	dimGID
	dimDst
	dimDstPort
	dimSrc
	dimSrcPort
	dimMark
	dimConnMark
	dimTransparent
	dimMidstream // TCP, and does not open its connection
	dimensions
)

func states() []iptables.State {
	return []iptables.State{
		iptables.StateNew, iptables.StateEstablished, iptables.StateRelated, iptables.StateInvalid, iptables.StateUntracked,
	}
}

// field is where a dimension's bits stand: from level first, the highest bit
// first, each stride behind the one before.
type field struct{ first, bits, stride int }

// level is where a bit stands; bit 0 is the highest.
func (f field) level(bit int) int { return f.first + bit*f.stride }

// behind is the first level behind the field.
func (f field) behind() int { return f.level(f.bits-1) + 1 }

// space is the packets of one family.
type space struct {
	*bdd.Store
	family   iptables.Family
	fields   [dimensions]field
	classes  []string // one interface name for each class of names
	opaque   []string // conditions that are not modelled, each a bit behind the fields
	feasible bdd.Ref  // packets that there can be
}

// nodeLimit bounds a comparison's memory to about 400 MB.
const nodeLimit = 12 << 20

func newSpace(f iptables.Family, classes []string) *space {
	s := &space{Store: bdd.New(nodeLimit), family: f, classes: classes}
	address := f.Any().Addr().BitLen()
	widths := [dimensions]int{
		dimPath: 1, dimProtocol: 8, dimReply: 1, dimState: 3, dimInterface: 1, dimOwned: 1, dimUID: 32, dimGID: 32,
		dimDst: address, dimDstPort: 16, dimSrc: address, dimSrcPort: 16, dimMark: 32, dimConnMark: 32, dimTransparent: 1,
		dimMidstream: 1,
	}
	for 1<<widths[dimInterface] < len(classes) {
		widths[dimInterface]++
	}
	next := 0
	for d, bits := range widths {
		s.fields[d] = field{next, bits, 1}
		next += bits
	}
	// Rules copy one mark to the other. Where the bits of both alternate, sets
	// that compare them stay small.
	s.fields[dimMark].stride, s.fields[dimConnMark].stride = 2, 2
	s.fields[dimConnMark].first = s.fields[dimMark].first + 1
	s.feasible = s.world()
	return s
}

// end is the first level behind all fields.
func (s *space) end() int {
	return s.fields[dimensions-1].behind()
}

// masked is the packets of which a dimension has a value under a mask.
func (s *space) masked(d dimension, value, mask uint32) bdd.Ref {
	if value&^mask != 0 {
		return bdd.Nothing
	}
	f, set := s.fields[d], bdd.Everything
	for i := range f.bits { // from the lowest bit, which has the last level
		if mask>>i&1 == 0 {
			continue
		}
		level := f.level(f.bits - 1 - i)
		if value>>i&1 == 1 {
			set = s.Node(level, bdd.Nothing, set)
		} else {
			set = s.Node(level, set, bdd.Nothing)
		}
	}
	return set
}

func (s *space) is(d dimension, value uint32) bdd.Ref {
	return s.masked(d, value, uint32(1<<s.fields[d].bits-1))
}

// between is the packets of which a dimension lies in a range, both ends included.
func (s *space) between(d dimension, first, last uint32) bdd.Ref {
	if last < first {
		return bdd.Nothing
	}
	f := s.fields[d]
	from, to := bdd.Everything, bdd.Everything
	for i := range f.bits {
		level := f.level(f.bits - 1 - i)
		if first>>i&1 == 1 {
			from = s.Node(level, bdd.Nothing, from)
		} else {
			from = s.Node(level, from, bdd.Everything)
		}
		if last>>i&1 == 1 {
			to = s.Node(level, bdd.Everything, to)
		} else {
			to = s.Node(level, to, bdd.Nothing)
		}
	}
	return s.And(from, to)
}

// within is the packets of which an address lies in a prefix.
func (s *space) within(d dimension, p netip.Prefix) bdd.Ref {
	if iptables.FamilyOf(p.Addr()) != s.family {
		return bdd.Nothing
	}
	set, bytes := bdd.Everything, p.Addr().AsSlice()
	for i := p.Bits() - 1; i >= 0; i-- {
		level := s.fields[d].level(i)
		if bytes[i/8]>>(7-i%8)&1 == 1 {
			set = s.Node(level, bdd.Nothing, set)
		} else {
			set = s.Node(level, set, bdd.Nothing)
		}
	}
	return set
}

func (s *space) inState(list ...iptables.State) bdd.Ref {
	set := bdd.Nothing
	for _, state := range list {
		if i := slices.Index(states(), state); i >= 0 {
			set = s.Or(set, s.is(dimState, uint32(i)))
		}
	}
	return set
}

// named is the packets whose interface's name a pattern matches.
func (s *space) named(pattern string) bdd.Ref {
	set := bdd.Nothing
	for i, name := range s.classes {
		if iptables.MatchesInterface(pattern, name) {
			set = s.Or(set, s.is(dimInterface, uint32(i)))
		}
	}
	return set
}

// condition is the packets for which a condition that is not modelled holds.
func (s *space) condition(text string) bdd.Ref {
	i := slices.Index(s.opaque, text)
	if i < 0 {
		i = len(s.opaque)
		s.opaque = append(s.opaque, text)
	}
	return s.Var(s.end() + i)
}

// world is the packets that there can be.
func (s *space) world() bdd.Ref {
	all := bdd.Everything
	implies := func(a, b bdd.Ref) { all = s.And(all, s.Or(a.Not(), b)) }
	leaving, owned := s.Var(s.fields[dimPath].first), s.Var(s.fields[dimOwned].first)
	reply, transparent := s.Var(s.fields[dimReply].first), s.Var(s.fields[dimTransparent].first)
	tracked := s.inState(iptables.StateNew, iptables.StateEstablished, iptables.StateRelated)

	implies(bdd.Everything, s.inState(states()...))
	implies(bdd.Everything, s.between(dimInterface, 0, uint32(len(s.classes)-1)))
	implies(leaving.Not(), s.named("lo").Not()) // what arrives by lo left here: the walk follows it
	implies(leaving.Not(), owned.Not())
	implies(leaving, transparent.Not())
	implies(s.is(dimProtocol, uint32(iptables.ProtoTCP)).Not(), s.Var(s.fields[dimMidstream].first).Not())
	implies(owned.Not(), s.And(s.is(dimUID, 0), s.is(dimGID, 0)))
	implies(s.withPorts().Not(), s.And(s.is(dimSrcPort, 0), s.is(dimDstPort, 0)))
	implies(reply, s.inState(iptables.StateEstablished, iptables.StateRelated))
	implies(tracked.Not(), s.is(dimConnMark, 0))
	implies(s.inState(iptables.StateNew), s.is(dimConnMark, 0)) // a new connection has no mark yet
	return all
}

// withPorts is the packets of protocols that have ports.
func (s *space) withPorts() bdd.Ref {
	set := bdd.Nothing
	for _, name := range []uint8{iptables.ProtoTCP, iptables.ProtoUDP, 33, 132, 136} { // DCCP, SCTP, UDPLite
		set = s.Or(set, s.is(dimProtocol, uint32(name)))
	}
	return set
}

// shadowOf is every combination of the values that single dimensions have in a
// set; the marks, which may hang together, are left open.
func (s *space) shadowOf(set bdd.Ref) bdd.Ref {
	shadow := bdd.Everything
	for d := dimensions - 1; d >= 0; d-- {
		if d != dimMark && d != dimConnMark {
			shadow = s.And(shadow, s.project(set, d))
		}
	}
	return shadow
}

// project is the values that a dimension has in a set.
func (s *space) project(set bdd.Ref, d dimension) bdd.Ref {
	memo := map[bdd.Ref]bdd.Ref{}
	f := s.fields[d]
	var project func(r bdd.Ref) bdd.Ref
	project = func(r bdd.Ref) bdd.Ref {
		level, ok := s.Level(r)
		switch {
		case r == bdd.Nothing:
			return r
		case !ok || level >= f.behind():
			return bdd.Everything
		}
		if known, ok := memo[r]; ok {
			return known
		}
		lo, hi := s.Split(r)
		lo, hi = project(lo), project(hi)
		if level < f.first {
			memo[r] = s.Or(lo, hi)
		} else {
			memo[r] = s.Node(level, lo, hi)
		}
		return memo[r]
	}
	return project(set)
}
