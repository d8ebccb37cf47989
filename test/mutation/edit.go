package main

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

// wrap is text put around a range of the original: mutants only ever insert,
// so that any number of them fit into each other.
type wrap struct {
	from, to      int // byte offsets
	before, after string
	order         int // -1 stands before all that begins at the same place
}

// insertion is one half of a wrap.
type insertion struct {
	at    int
	text  string
	begin bool
	size  int // of the wrapped range
	order int
}

// apply puts all wraps around their ranges of a text.
func apply(text []byte, wraps []wrap) []byte {
	var halves []insertion
	for i, w := range wraps {
		size := w.to - w.from
		if w.order < 0 {
			size = math.MaxInt
		}
		halves = append(halves, insertion{w.from, w.before, true, size, i}, insertion{w.to, w.after, false, size, i})
	}
	slices.SortStableFunc(halves, compareHalves)
	var out bytes.Buffer
	done := 0
	for _, h := range halves {
		out.Write(text[done:h.at])
		out.WriteString(h.text)
		done = h.at
	}
	out.Write(text[done:])
	return out.Bytes()
}

// compareHalves orders what stands at one place: ends before beginnings, inner
// ends first, outer beginnings first.
func compareHalves(a, b insertion) int {
	switch {
	case a.at != b.at:
		return cmp.Compare(a.at, b.at)
	case a.begin != b.begin && a.begin:
		return 1
	case a.begin != b.begin:
		return -1
	case a.begin:
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.order, b.order))
	}
	return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(b.order, a.order))
}
