package diff

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// Side is one of the two rule sets that are compared.
type Side struct {
	Rules iptables.Ruleset
	// Names are short names of the ports to which rules capture, such as "In".
	Names map[iptables.Port]string
}

// Result is how two rule sets of one family differ; without differences they
// are equivalent.
type Result struct {
	Family      string       `json:"family"`
	Differences []Difference `json:"differences"`
	// More differences were found than are listed.
	More bool `json:"more,omitempty"`
}

// Equivalent says whether the rule sets treat every packet alike.
func (r Result) Equivalent() bool { return len(r.Differences) == 0 }

// Of lists the differences of one kind.
func (r Result) Of(k Kind) []Difference {
	var list []Difference
	for _, d := range r.Differences {
		if d.Kind == k {
			list = append(list, d)
		}
	}
	return list
}

// Kind is what a difference is about.
type Kind string

// The kinds, the most telling first.
const (
	Connections Kind = "connections" // where a new connection goes
	Packets     Kind = "packets"     // where other packets go: later ones, marked ones
	Marks       Kind = "marks"       // same way, other marks or conntrack zones
)

// Difference is a set of packets that the sides treat differently.
type Difference struct {
	Kind    Kind   `json:"kind"`
	Packets string `json:"packets"` // in words
	Was     string `json:"was"`
	Now     string `json:"now"`
	// Example is one of the packets, and Path the way it goes.
	Example iptables.Packet `json:"-"`
	Path    iptables.Path   `json:"-"`
}

// String is the difference as a sentence.
func (d Difference) String() string { return d.Packets + ": was " + d.Was + ", now " + d.Now }

// TooComplexError is a comparison that was given up: its sets of packets do
// not fit into memory.
type TooComplexError struct{ Nodes int }

// Error says how far it came.
func (e *TooComplexError) Error() string {
	return fmt.Sprintf("the rule sets are too entangled to compare exactly: given up at %d nodes", e.Nodes)
}

// mostSentences that a result holds.
const mostSentences = 200

// Compare finds how the rules of two sides, of one family, differ. The only
// error is a *TooComplexError.
func Compare(was, now Side) (result Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			large, ok := r.(bdd.TooLarge)
			if !ok {
				panic(r)
			}
			err = &TooComplexError{large.Nodes}
		}
	}()
	c := newComparison(was, now)
	result = Result{Family: was.Rules.Family.String(), Differences: []Difference{}}
	c.tell(&result)
	return result, nil
}

// comparison is both sides, walked.
type comparison struct {
	*space
	concerned          bdd.Ref // packets that may be treated differently
	was, now           *walk
	wasNames, nowNames map[iptables.Port]string
	loopbacks          []bdd.Ref // prefixes of loopback addresses that rules name
}

func newComparison(was, now Side) *comparison {
	s := newSpace(was.Rules.Family, nameClasses(was.Rules, now.Rules))
	routed := routedMarks(was.Rules, now.Rules)
	c := &comparison{
		space: s, was: newWalk(s, was.Rules, routed), now: newWalk(s, now.Rules, routed),
		wasNames: was.Names, nowNames: now.Names,
	}
	for _, p := range loopbackPrefixes(s.family, was.Rules, now.Rules) {
		c.loopbacks = append(c.loopbacks, s.within(dimDst, p))
	}
	c.concerned = concern(s, was.Rules, now.Rules)
	c.was.run(c.concerned)
	c.now.run(c.concerned)
	return c
}

// change is packets with their end before and after, in words.
type change struct {
	set      bdd.Ref
	was, now string
}

// changes lists all packets that end differently, grouped by their ends.
// Packets that have come to an end are compared with those that have left one,
// so that ends which nothing joined or left cost nothing.
func (c *comparison) changes() []change {
	var list []change
	joined := c.moved(c.now.ends, c.was.ends)
	for _, a := range sortedEnds(c.was.ends) {
		left := c.Minus(c.was.ends[a], c.at(c.now.ends, a))
		for _, m := range joined {
			if left == bdd.Nothing {
				break
			}
			if both := c.And(left, m.set); both != bdd.Nothing {
				list = append(list, change{both, endWords(a, c.wasNames, c.nowNames), endWords(m.end, c.nowNames, c.wasNames)})
				left = c.Minus(left, both)
			}
		}
	}
	return mergeEqualWords(c, list)
}

// arrival is packets that end somewhere on one side only.
type arrival struct {
	end end
	set bdd.Ref
}

// moved lists for each end the packets that are not at the same end among others.
func (c *comparison) moved(ends, others map[end]bdd.Ref) []arrival {
	var list []arrival
	for _, e := range sortedEnds(ends) {
		if set := c.Minus(ends[e], c.at(others, e)); set != bdd.Nothing {
			list = append(list, arrival{e, set})
		}
	}
	return list
}

func (c *comparison) at(ends map[end]bdd.Ref, e end) bdd.Ref {
	if set, ok := ends[e]; ok {
		return set
	}
	return bdd.Nothing
}

// alike is the packets that come to the same end and live.
func (c *comparison) alike() bdd.Ref {
	dead := end{Fate: iptables.Dropped}
	set := c.Minus(c.concerned, c.Or(c.at(c.was.ends, dead), c.at(c.now.ends, dead)))
	for _, m := range c.moved(c.now.ends, c.was.ends) {
		set = c.Minus(set, m.set)
	}
	return set
}

// traces are differences that packets of the same end leave behind.
func (c *comparison) traces() []change {
	var list []change
	alike := c.alike()
	add := func(set bdd.Ref, was, now string) {
		if alike == bdd.Nothing {
			return
		}
		if set = c.And(alike, set); set != bdd.Nothing {
			list = append(list, change{set, was, now})
			alike = c.Minus(alike, set)
		}
	}
	for _, a := range zoneIDs(c.was, c.now) {
		for _, b := range zoneIDs(c.was, c.now) {
			if a != b {
				add(c.And(c.was.inZone(a), c.now.inZone(b)), zoneWords(a), zoneWords(b))
			}
		}
	}
	for _, m := range c.was.routed {
		was, now := c.was.equals(&c.was.mark, m, iptables.FullMask), c.now.equals(&c.now.mark, m, iptables.FullMask)
		add(c.Minus(was, now), markWords(m), "without that mark")
		add(c.Minus(now, was), "without TPROXY's mark", markWords(m))
	}
	c.connMarks(add)
	return mergeEqualWords(c, list)
}

// connMarks finds connections whose mark ends differently in a bit that a rule
// reads; what only one side tracks has no mark on the other.
func (c *comparison) connMarks(add func(bdd.Ref, string, string)) {
	read, tracked := c.was.connMarkRead()|c.now.connMarkRead(), c.Or(c.was.tracked(), c.now.tracked())
	differ := bdd.Nothing
	for i := range 32 {
		if read>>i&1 == 1 {
			differ = c.Or(differ, c.Xor(c.was.connMark[i], c.now.connMark[i]))
		}
	}
	differ = c.And(differ, tracked)
	for _, m := range c.was.routed {
		was, now := c.was.equals(&c.was.connMark, m, read), c.now.equals(&c.now.connMark, m, read)
		add(c.And(differ, c.Minus(was, now)), fmt.Sprintf("its connection marked %#x", m), "its connection not marked so")
		add(c.And(differ, c.Minus(now, was)), "its connection not marked", fmt.Sprintf("its connection marked %#x", m))
	}
	add(differ, "one mark for its connection", "another mark for its connection")
}

// connMarkRead is the bits of connection marks that the rules look at.
func (w *walk) connMarkRead() (bits uint32) {
	for _, chains := range w.tables {
		for _, c := range chains {
			for i := range c.Rules {
				if t, ok := c.Rules[i].Target.(iptables.RestoreMark); ok {
					bits |= t.CTMask
				}
				for _, m := range c.Rules[i].Match {
					if cm, ok := m.(iptables.ConnMark); ok {
						bits |= cm.Mask
					}
				}
			}
		}
	}
	return bits
}

// inZone is the packets of a conntrack zone; 0 is none.
func (w *walk) inZone(id uint16) bdd.Ref {
	if id != 0 {
		if set, ok := w.zones[id]; ok {
			return set
		}
		return bdd.Nothing
	}
	set := bdd.Everything
	for _, zoned := range w.zones {
		set = w.Minus(set, zoned)
	}
	return set
}

func zoneIDs(walks ...*walk) []uint16 {
	ids := []uint16{0}
	for _, w := range walks {
		for id := range w.zones {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// routedMarks are the marks for which TPROXY's users make a rule and a route.
func routedMarks(sets ...iptables.Ruleset) []uint32 {
	var marks []uint32
	for _, rs := range sets {
		for _, c := range rs.Chains {
			for i := range c.Rules {
				if t, ok := c.Rules[i].Target.(iptables.TProxy); ok && !slices.Contains(marks, t.Mark) && t.Mark != 0 {
					marks = append(marks, t.Mark)
				}
			}
		}
	}
	slices.Sort(marks)
	return marks
}

// sortedEnds orders ends for output: the graver first.
func sortedEnds(ends map[end]bdd.Ref) []end {
	list := make([]end, 0, len(ends))
	for e := range ends {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b end) int {
		return cmp.Or(cmp.Compare(a.Fate, b.Fate), cmp.Compare(a.Port, b.Port), cmp.Compare(a.What, b.What), compareBool(a.Kept, b.Kept))
	})
	return list
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// mergeEqualWords joins changes that read the same.
func mergeEqualWords(c *comparison, list []change) []change {
	var merged []change
	for _, x := range list {
		i := slices.IndexFunc(merged, func(y change) bool { return y.was == x.was && y.now == x.now })
		if i < 0 {
			merged = append(merged, x)
			continue
		}
		merged[i].set = c.Or(merged[i].set, x.set)
	}
	return merged
}
