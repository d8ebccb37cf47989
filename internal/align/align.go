// Package align lays two lists side by side.
package align

// None is the place of an item that one of the lists does not have.
const None = -1

// Pair is two places whose items are the same, or one place beside None.
type Pair struct{ A, B int }

// Same says whether both lists have the item.
func (p Pair) Same() bool { return p.A != None && p.B != None }

// mostPlaces bounds the work, and the memory to 4 MiB. Of lists that differ in
// more, what is the same is found at their ends only.
const mostPlaces = 1 << 20

// Lists pairs a list of n items with one of m, from front to back: every item
// is in one pair, and as many as the order of both allows are beside one that
// is the same (the longest common subsequence). Where the lists differ, the
// items of the first come first.
func Lists(n, m int, same func(a, b int) bool) []Pair {
	pairs := make([]Pair, 0, max(n, m))
	a, b := 0, 0
	for ; a < min(n, m) && same(a, b); a, b = a+1, b+1 {
		pairs = append(pairs, Pair{a, b})
	}
	endA, endB := n, m
	for endA > a && endB > b && same(endA-1, endB-1) {
		endA, endB = endA-1, endB-1
	}
	headA, headB := a, b
	common := lengths(endA-a, endB-b, func(a, b int) bool { return same(headA+a, headB+b) })
	for a < endA || b < endB {
		switch {
		case a < endA && b < endB && same(a, b):
			pairs = append(pairs, Pair{a, b})
			a, b = a+1, b+1
		case b == endB || a < endA && common(a+1-headA, b-headB) >= common(a-headA, b+1-headB):
			pairs = append(pairs, Pair{a, None})
			a++
		default:
			pairs = append(pairs, Pair{None, b})
			b++
		}
	}
	for ; a < n; a, b = a+1, b+1 {
		pairs = append(pairs, Pair{a, b})
	}
	return pairs
}

// lengths returns how many items of two lists of n and m items can be paired
// from the places a and b on.
func lengths(n, m int, same func(a, b int) bool) func(a, b int) int32 {
	if n*m > mostPlaces {
		return func(int, int) int32 { return 0 }
	}
	table := make([]int32, (n+1)*(m+1))
	at := func(a, b int) *int32 { return &table[a*(m+1)+b] }
	for a := n - 1; a >= 0; a-- {
		for b := m - 1; b >= 0; b-- {
			if same(a, b) {
				*at(a, b) = *at(a+1, b+1) + 1
			} else {
				*at(a, b) = max(*at(a+1, b), *at(a, b+1))
			}
		}
	}
	return func(a, b int) int32 { return *at(a, b) }
}
