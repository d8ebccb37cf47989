package diff

import (
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
)

// box is a product: for each dimension a set of its values, and for conditions
// that are not modelled whether they hold. Everything means any value. The two
// marks stand together at dimMark, as a set of pairs.
type box struct {
	values [dimensions]bdd.Ref
	given  []given
	// either: the uid or the gid is of its set, not both of them need be.
	either bool
}

// given is a condition that is not modelled.
type given struct {
	index int
	holds bool
}

// boxes divides a set of packets into few products, at most limit; more says
// that it was cut. Outside of care the products may hold anything.
func (c *comparison) boxes(set, care bdd.Ref, limit int) (list []box, more bool) {
	d := divider{space: c.space, limit: limit + 1}
	d.divide(c.Simplify(set, care), 0, box{})
	list = c.merge(d.found)
	if len(list) > limit {
		return list[:limit], true
	}
	return list, d.cut
}

// divider takes a set apart, one dimension after the other.
type divider struct {
	*space
	found []box
	limit int
	cut   bool
}

// mostBoxes are found before merging, for each sentence that is wanted.
const mostBoxes = 8

func (d *divider) divide(set bdd.Ref, at dimension, b box) {
	if len(d.found) >= d.limit*mostBoxes {
		d.cut = true
		return
	}
	switch at {
	case dimensions:
		d.conditions(set, b)
		return
	case dimConnMark:
		d.divide(set, at+1, b)
		return
	}
	for _, p := range d.parts(set, at) {
		b.values[at] = p.values
		d.divide(p.rest, at+1, b)
	}
}

// conditions takes the rest of a set apart by the conditions that are not modelled.
func (d *divider) conditions(set bdd.Ref, b box) {
	level, depends := d.Level(set)
	if !depends || len(d.found) >= d.limit*mostBoxes {
		if set == bdd.Everything {
			d.found = append(d.found, b)
		}
		return
	}
	lo, hi := d.Split(set)
	d.branch(hi, b, level, true)
	d.branch(lo, b, level, false)
}

func (d *divider) branch(half bdd.Ref, b box, level int, holds bool) {
	if half == bdd.Nothing {
		return
	}
	b.given = append(slices.Clone(b.given), given{level - d.end(), holds})
	d.conditions(half, b)
}

// part is values of one dimension that have the same rest.
type part struct{ values, rest bdd.Ref }

// parts groups the values of a dimension by what the set says of the later
// dimensions; groups in which that is nothing are left out.
func (s *space) parts(set bdd.Ref, d dimension) []part {
	memo := map[bdd.Ref][]part{}
	behind := s.fields[d].behind()
	if d == dimMark {
		behind = s.fields[dimConnMark].behind()
	}
	var group func(r bdd.Ref) []part
	group = func(r bdd.Ref) []part {
		level, ok := s.Level(r)
		if !ok || level >= behind {
			if r == bdd.Nothing {
				return nil
			}
			return []part{{bdd.Everything, r}}
		}
		if known, ok := memo[r]; ok {
			return known
		}
		lo, hi := s.Split(r)
		memo[r] = s.join(level, group(lo), group(hi))
		return memo[r]
	}
	return group(set)
}

// join groups the parts of a node's halves.
func (s *space) join(level int, lo, hi []part) []part {
	at := make(map[bdd.Ref]int, len(lo)+len(hi))
	var list []part
	for _, p := range lo {
		at[p.rest] = len(list)
		list = append(list, part{s.Node(level, p.values, bdd.Nothing), p.rest})
	}
	for _, p := range hi {
		if i, ok := at[p.rest]; ok {
			list[i].values = s.Or(list[i].values, s.Node(level, bdd.Nothing, p.values))
			continue
		}
		list = append(list, part{s.Node(level, bdd.Nothing, p.values), p.rest})
	}
	return list
}

// interval is the values from First to Last, both included.
type interval struct{ first, last uint32 }

// intervals lists the values of a dimension of at most 32 bits; false if they
// are more than limit.
func (s *space) intervals(d dimension, values bdd.Ref, limit int) (list []interval, ok bool) {
	f := s.fields[d]
	var walk func(r bdd.Ref, depth int, base uint32) bool
	walk = func(r bdd.Ref, depth int, base uint32) bool {
		if r == bdd.Nothing {
			return true
		}
		if r == bdd.Everything {
			last := base + uint32(uint64(1)<<(f.bits-depth)-1)
			if n := len(list); n > 0 && list[n-1].last+1 == base {
				list[n-1].last = last
			} else {
				list = append(list, interval{base, last})
			}
			return len(list) <= limit
		}
		lo, hi := r, r
		if level, _ := s.Level(r); level == f.level(depth) {
			lo, hi = s.Split(r)
		}
		return walk(lo, depth+1, base) && walk(hi, depth+1, base|1<<(f.bits-1-depth))
	}
	ok = walk(values, 0, 0)
	return list, ok
}

// prefixes lists the addresses of a dimension; false if they are more than limit.
func (s *space) prefixes(d dimension, values bdd.Ref, limit int) (list []netip.Prefix, ok bool) {
	f := s.fields[d]
	bytes := make([]byte, f.bits/8)
	var walk func(r bdd.Ref, depth int) bool
	walk = func(r bdd.Ref, depth int) bool {
		switch r {
		case bdd.Nothing:
			return true
		case bdd.Everything:
			addr, _ := netip.AddrFromSlice(bytes)
			list = append(list, netip.PrefixFrom(addr, depth))
			return len(list) <= limit
		}
		lo, hi := r, r
		if level, _ := s.Level(r); level == f.level(depth) {
			lo, hi = s.Split(r)
		}
		bit := byte(1) << (7 - depth%8)
		if !walk(lo, depth+1) {
			return false
		}
		bytes[depth/8] |= bit
		more := walk(hi, depth+1)
		bytes[depth/8] &^= bit
		return more
	}
	ok = walk(values, 0)
	return list, ok
}

// forget is the packets that are in a set for some value of a dimension.
func (s *space) forget(set bdd.Ref, d dimension) bdd.Ref {
	memo := map[bdd.Ref]bdd.Ref{}
	f := s.fields[d]
	var forget func(r bdd.Ref) bdd.Ref
	forget = func(r bdd.Ref) bdd.Ref {
		level, ok := s.Level(r)
		if !ok || level >= f.behind() {
			return r
		}
		if known, ok := memo[r]; ok {
			return known
		}
		lo, hi := s.Split(r)
		lo, hi = forget(lo), forget(hi)
		if level >= f.first && (level-f.first)%f.stride == 0 {
			memo[r] = s.Or(lo, hi)
		} else {
			memo[r] = s.Node(level, lo, hi)
		}
		return memo[r]
	}
	return forget(set)
}
