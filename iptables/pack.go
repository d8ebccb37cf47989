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
