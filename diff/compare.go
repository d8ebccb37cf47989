package diff

import (
	"cmp"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

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
