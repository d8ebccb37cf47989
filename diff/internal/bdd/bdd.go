// Package bdd holds sets of bit vectors as binary decision diagrams: shared,
// reduced and ordered graphs in which two sets are equal exactly when their
// references are. Complements cost nothing, since a reference says whether it
// is inverted (Brace, Rudell, Bryant: Efficient Implementation of a BDD
// Package, 1990).
//
// A set of packets that ten thousand rules pick out has about as many nodes as
// the rules have bits, whatever the number of packets in it.
package bdd

import "math"

// Ref is a set within a Store. The lowest bit says that it is a complement.
type Ref uint32

// The empty set and the set of everything, in every Store.
const (
	Everything Ref = 0
	Nothing    Ref = 1
)

// Not is the complement.
func (r Ref) Not() Ref { return r ^ 1 }

// leaf is the level of the two constants: below every variable.
const leaf = math.MaxUint32

type node struct {
	level  uint32
	lo, hi Ref // the sets where the variable is 0 and 1; lo is never a complement
}

// Store keeps nodes. It grows only; a limit ends a computation that would
// outgrow the machine.
type Store struct {
	nodes  []node
	unique []uint32 // open addressing, indices of nodes, 0 is free
	cache  []entry  // of And, direct-mapped
	limit  int
}

type entry struct{ a, b, result Ref }

// TooLarge is the panic of a Store that has reached its limit of nodes.
type TooLarge struct{ Nodes int }

// New makes a Store of at most limit nodes.
func New(limit int) *Store {
	return &Store{
		nodes:  []node{{level: leaf}},
		unique: make([]uint32, 1<<14),
		cache:  make([]entry, 1<<14),
		limit:  limit,
	}
}

// Var is the set of vectors whose bit at a level is 1.
func (s *Store) Var(level int) Ref { return s.node(uint32(level), Nothing, Everything) }

// Level is the first variable that a set depends on; false for a constant.
func (s *Store) Level(r Ref) (int, bool) {
	l := s.nodes[r>>1].level
	return int(l), l != leaf
}

// Split is a set's two halves by its first variable.
func (s *Store) Split(r Ref) (lo, hi Ref) {
	n := s.nodes[r>>1]
	return n.lo ^ r&1, n.hi ^ r&1
}

// at is Split by a level that may be above the set's own.
func (s *Store) at(r Ref, level uint32) (lo, hi Ref) {
	if s.nodes[r>>1].level != level {
		return r, r
	}
	return s.Split(r)
}

// Node is the set that is lo where a level's bit is 0 and hi where it is 1.
// Both must depend on later levels only.
func (s *Store) Node(level int, lo, hi Ref) Ref { return s.node(uint32(level), lo, hi) }

func (s *Store) node(level uint32, lo, hi Ref) Ref {
	if lo == hi {
		return lo
	}
	if lo&1 == 1 {
		return s.node(level, lo.Not(), hi.Not()).Not()
	}
	mask := uint32(len(s.unique) - 1)
	at := hash(level, uint32(lo), uint32(hi)) & mask
	for ; s.unique[at] != 0; at = (at + 1) & mask {
		if n := s.nodes[s.unique[at]]; n.level == level && n.lo == lo && n.hi == hi {
			return Ref(s.unique[at]) << 1
		}
	}
	if len(s.nodes) >= s.limit {
		panic(TooLarge{len(s.nodes)})
	}
	index := uint32(len(s.nodes))
	s.nodes = append(s.nodes, node{level, lo, hi})
	s.unique[at] = index
	if len(s.nodes)*4 > len(s.unique)*3 {
		s.grow()
	}
	return Ref(index) << 1
}

func (s *Store) grow() {
	s.unique = make([]uint32, 2*len(s.unique))
	mask := uint32(len(s.unique) - 1)
	for i := 1; i < len(s.nodes); i++ {
		n := s.nodes[i]
		at := hash(n.level, uint32(n.lo), uint32(n.hi)) & mask
		for s.unique[at] != 0 {
			at = (at + 1) & mask
		}
		s.unique[at] = uint32(i)
	}
	if len(s.cache) < 1<<20 {
		s.cache = make([]entry, 2*len(s.cache))
	}
}

func hash(a, b, c uint32) uint32 {
	h := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xc2b2ae3d27d4eb4f ^ uint64(c)*0x165667b19e3779f9
	return uint32(h >> 29)
}

// And is the intersection.
func (s *Store) And(a, b Ref) Ref {
	switch {
	case a == b, b == Everything:
		return a
	case a == Everything:
		return b
	case a == Nothing, b == Nothing, a == b.Not():
		return Nothing
	case a > b:
		a, b = b, a
	}
	slot := hash(uint32(a), uint32(b), 0)
	if e := s.cache[slot&uint32(len(s.cache)-1)]; e.a == a && e.b == b {
		return e.result
	}
	level := min(s.nodes[a>>1].level, s.nodes[b>>1].level)
	aLo, aHi := s.at(a, level)
	bLo, bHi := s.at(b, level)
	lo := s.And(aLo, bLo)
	result := s.node(level, lo, s.And(aHi, bHi))
	s.cache[slot&uint32(len(s.cache)-1)] = entry{a, b, result}
	return result
}

// Or is the union.
func (s *Store) Or(a, b Ref) Ref { return s.And(a.Not(), b.Not()).Not() }

// Minus is what a holds and b does not.
func (s *Store) Minus(a, b Ref) Ref { return s.And(a, b.Not()) }

// Xor is what just one of both holds.
func (s *Store) Xor(a, b Ref) Ref { return s.Or(s.Minus(a, b), s.Minus(b, a)) }

// If is then within a set and otherwise outside of it.
func (s *Store) If(set, then, otherwise Ref) Ref {
	return s.Or(s.And(set, then), s.Minus(otherwise, set))
}

// Simplify is a set, as small as it finds one, that agrees with f within care.
// Outside of care it holds what it likes (Coudert and Madre's restrict).
func (s *Store) Simplify(f, care Ref) Ref {
	if care == Nothing {
		return Nothing
	}
	memo := map[[2]Ref]Ref{}
	var simplify func(f, care Ref) Ref
	simplify = func(f, care Ref) Ref {
		if care == Everything || f>>1 == 0 {
			return f
		}
		key := [2]Ref{f, care}
		if r, ok := memo[key]; ok {
			return r
		}
		r := s.simplify(f, care, simplify)
		memo[key] = r
		return r
	}
	return simplify(f, care)
}

func (s *Store) simplify(f, care Ref, again func(f, care Ref) Ref) Ref {
	fLevel, careLevel := s.nodes[f>>1].level, s.nodes[care>>1].level
	if careLevel < fLevel { // f does not ask: both halves of care count
		lo, hi := s.Split(care)
		return again(f, s.Or(lo, hi))
	}
	fLo, fHi := s.Split(f)
	careLo, careHi := s.at(care, fLevel)
	switch Nothing {
	case careLo:
		return again(fHi, careHi)
	case careHi:
		return again(fLo, careLo)
	}
	lo := again(fLo, careLo)
	return s.node(fLevel, lo, again(fHi, careHi))
}
