package iptables

import (
	"cmp"
	"slices"
)

// PackPorts sorts port ranges, joins those that touch or overlap, and divides
// them among as few multiport matches as they need.
func PackPorts(ranges []PortRange) [][]PortRange {
	var packs [][]PortRange
	var pack []PortRange
	for _, r := range JoinPorts(ranges) {
		if slots(append(slices.Clone(pack), r)) > MultiPortSlots {
			packs = append(packs, pack)
			pack = nil
		}
		pack = append(pack, r)
	}
	if pack != nil {
		packs = append(packs, pack)
	}
	return packs
}

// JoinPorts sorts port ranges and joins those that touch or overlap.
func JoinPorts(ranges []PortRange) []PortRange {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b PortRange) int { return cmp.Compare(a.First, b.First) })
	var joined []PortRange
	for _, r := range sorted {
		last := len(joined) - 1
		if last >= 0 && uint32(r.First) <= uint32(joined[last].Last)+1 {
			joined[last].Last = max(joined[last].Last, r.Last)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// PackSets joins runs of at least so many rules that differ in one address only
// into one rule with a kernel set each. The sets must be there before the rules.
func (rs Ruleset) PackSets(least int) Ruleset {
	packed := Ruleset{Family: rs.Family, Chains: slices.Clone(rs.Chains)}
	for i, c := range packed.Chains {
		packed.Chains[i].Rules = JoinRuns(c.Rules, Runs{Least: least})
	}
	return packed
}

// Sets lists the kernel sets that the rules need, each once, by name.
func (rs Ruleset) Sets() []InSet {
	var sets []InSet
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			for _, m := range r.Match {
				if s, ok := m.(InSet); ok {
					sets = append(sets, s)
				}
			}
		}
	}
	slices.SortStableFunc(sets, func(a, b InSet) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(sets, func(a, b InSet) bool { return a.Name == b.Name })
}
