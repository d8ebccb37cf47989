package align

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// side writes the pairs of two words: what both have as it is, what only the
// first has as -x, and what only the second has as +x.
func side(a, b string) string {
	var s strings.Builder
	for _, p := range Lists(len(a), len(b), func(i, j int) bool { return a[i] == b[j] }) {
		switch {
		case p.Same():
			s.WriteByte(a[p.A])
		case p.B == None:
			s.WriteString("-" + a[p.A:p.A+1])
		default:
			s.WriteString("+" + b[p.B:p.B+1])
		}
	}
	return s.String()
}

func TestWhatBothListsHaveStandsSideBySide(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"", "", ""},
		{"abc", "abc", "abc"},
		{"abc", "", "-a-b-c"},
		{"", "abc", "+a+b+c"},
		{"abcd", "acd", "a-bcd"},
		{"acd", "abcd", "a+bcd"},
		{"axb", "cxd", "-a+cx-b+d"},
		{"ab", "ba", "-ab+a"},
		{"xabcd", "abcdy", "-xabcd+y"},
		{"aab", "ab", "a-ab"},
	} {
		if got := side(c.a, c.b); got != c.want {
			t.Errorf("%q beside %q: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

// longest is the length of the longest common subsequence, by trying all.
func longest(a, b string) int {
	switch {
	case a == "" || b == "":
		return 0
	case a[0] == b[0]:
		return 1 + longest(a[1:], b[1:])
	}
	return max(longest(a[1:], b), longest(a, b[1:]))
}

func TestEveryItemStandsOnceInItsOrderAndAsManyAsCanBeArePaired(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, r.IntN(8))
		for i := range b {
			b[i] = "abc"[r.IntN(3)]
		}
		return string(b)
	}
	for range 5000 {
		a, b := word(), word()
		var gotA, gotB string
		paired := 0
		for _, p := range Lists(len(a), len(b), func(i, j int) bool { return a[i] == b[j] }) {
			if p.Same() {
				paired++
			}
			if p.A != None {
				gotA += a[p.A : p.A+1]
			}
			if p.B != None {
				gotB += b[p.B : p.B+1]
			}
		}
		if gotA != a || gotB != b || paired != longest(a, b) {
			t.Fatalf("%q beside %q: %q and %q with %d pairs, want %d", a, b, gotA, gotB, paired, longest(a, b))
		}
	}
}

func TestListsThatDifferInMoreThanAMillionPlacesArePairedAtTheirEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		shift  int // the second list is the first, moved by so many
		length int
		paired int
	}{
		{"a million", 1, 1 << 10, 1<<10 - 1},
		{"more", 1, 1<<10 + 1, 0},
		{"more, but the same", 0, 1 << 20, 1 << 20},
	} {
		paired := 0
		for _, p := range Lists(c.length, c.length, func(i, j int) bool { return i+c.shift == j }) {
			if p.Same() {
				paired++
			}
		}
		if paired != c.paired {
			t.Errorf("%s: %d pairs, want %d", c.name, paired, c.paired)
		}
	}
}

func TestOnlyWhatIsBetweenTheEndsCounts(t *testing.T) {
	const most = 1 << 20
	ends := make([]int, most)
	for i := range ends {
		ends[i] = i
	}
	a := slices.Concat(ends, []int{-1, -2}, ends)
	b := slices.Concat(ends, []int{-2, -3}, ends)
	paired := 0
	for _, p := range Lists(len(a), len(b), func(i, j int) bool { return a[i] == b[j] }) {
		if p.Same() {
			paired++
		}
	}
	if want := 2*most + 1; paired != want {
		t.Errorf("%d pairs, want %d", paired, want)
	}
}
