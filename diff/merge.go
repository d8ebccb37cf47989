package diff

import (
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
)

// merge joins boxes that differ in one dimension only, as long as there are any.
func (c *comparison) merge(list []box) []box {
	for again := true; again; {
		again = false
		for i := 0; i < len(list); i++ {
			for j := i + 1; j < len(list); j++ {
				if joined, ok := c.joinBoxes(list[i], list[j]); ok {
					list[i], again = joined, true
					list = slices.Delete(list, j, j+1)
					j--
				}
			}
		}
	}
	return list
}

func (c *comparison) joinBoxes(a, b box) (box, bool) {
	if !slices.Equal(a.given, b.given) || a.either != b.either {
		return a, false
	}
	differ := dimension(-1)
	for d := range dimensions {
		switch {
		case a.values[d] == b.values[d]:
		case differ >= 0:
			if joined, ok := c.joinEither(a, b); ok {
				return joined, true
			}
			return c.joinOwners(a, b)
		default:
			differ = d
		}
	}
	if differ >= 0 {
		a.values[differ] = c.Or(a.values[differ], b.values[differ])
	}
	return a, true
}

// joinOwners joins "from anybody but …" with "from no process": nobody is not
// among those excepted.
func (c *comparison) joinOwners(a, b box) (box, bool) {
	owned := c.Var(c.fields[dimOwned].first)
	if a.values[dimOwned] == owned {
		a, b = b, a
	}
	if a.values[dimOwned] != owned.Not() || b.values[dimOwned] != owned || !sameBut(a, b, dimOwned, dimUID, dimGID) || b.either {
		return a, false
	}
	for _, d := range []dimension{dimUID, dimGID} {
		if !c.mostly(d, b.values[d]) {
			return a, false
		}
	}
	b.values[dimOwned] = bdd.Everything
	return b, true
}

// joinEither joins "from uid U" with "from any uid but U, with gid G" into
// "from uid U or gid G".
func (c *comparison) joinEither(a, b box) (box, bool) {
	if a.values[dimGID] != bdd.Everything {
		a, b = b, a
	}
	complete := a.values[dimGID] == bdd.Everything && a.values[dimUID] == b.values[dimUID].Not()
	if !complete || a.either || !sameBut(a, b, dimUID, dimGID) || c.mostly(dimUID, a.values[dimUID]) {
		return a, false
	}
	a.values[dimGID], a.either = b.values[dimGID], true
	return a, true
}

// sameBut says whether boxes agree in all dimensions but some.
func sameBut(a, b box, some ...dimension) bool {
	for d := range dimensions {
		if !slices.Contains(some, d) && a.values[d] != b.values[d] {
			return false
		}
	}
	return true
}

// mostly says whether a set of ids is all but a few.
func (c *comparison) mostly(d dimension, values bdd.Ref) bool {
	_, few := c.intervals(d, values.Not(), 64)
	return few && c.And(values, c.is(d, 1<<32-1)) != bdd.Nothing
}
