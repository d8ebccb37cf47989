package bdd

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random sets")

const bits = 6

// truth is a set of vectors of six bits as a word, the slow and sure way.
type truth uint64

func random(s *Store, r *rand.Rand, depth int) (Ref, truth) {
	if depth == 0 {
		level := r.IntN(bits)
		var t truth
		for v := range 64 {
			if v>>level&1 == 1 {
				t |= 1 << v
			}
		}
		return s.Var(level), t
	}
	a, x := random(s, r, depth-1)
	b, y := random(s, r, r.IntN(depth))
	switch r.IntN(5) {
	case 0:
		return s.And(a, b), x & y
	case 1:
		return s.Or(a, b), x | y
	case 2:
		return s.Xor(a, b), x ^ y
	case 3:
		return s.Minus(a, b), x &^ y
	}
	return s.If(a, b, a.Not()), x&y | ^x
}

func has(s *Store, r Ref, vector int) bool {
	for {
		level, ok := s.Level(r)
		if !ok {
			return r == Everything
		}
		lo, hi := s.Split(r)
		if vector>>level&1 == 1 {
			r = hi
		} else {
			r = lo
		}
	}
}

func TestSetsHoldWhatTheirOperationsSay(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	s := New(1 << 20)
	known := map[truth]Ref{}
	for range 4000 {
		set, want := random(s, r, r.IntN(6))
		for v := range 64 {
			if has(s, set, v) != (want>>v&1 == 1) {
				t.Fatalf("vector %06b: got %v, want %v", v, has(s, set, v), !has(s, set, v))
			}
		}
		if before, ok := known[want]; ok && before != set {
			t.Fatalf("two references, %d and %d, for one set", before, set)
		}
		known[want] = set
		care, _ := random(s, r, 3)
		if simple := s.Simplify(set, care); s.And(simple, care) != s.And(set, care) {
			t.Fatalf("simplified set differs within the care set")
		}
	}
}

func TestStoreStopsAtItsLimit(t *testing.T) {
	defer func() {
		if _, ok := recover().(TooLarge); !ok {
			t.Error("got no TooLarge")
		}
	}()
	s := New(10)
	set := Nothing
	for i := range 20 {
		set = s.Xor(set, s.Var(i))
	}
}
