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

// PackSets joins runs of rules that differ in one address or one port only into
// one rule with a kernel set each. The sets must be there before the rules.
func (rs Ruleset) PackSets(runs Runs) Ruleset {
	packed := Ruleset{Family: rs.Family, Chains: slices.Clone(rs.Chains)}
	for i, c := range packed.Chains {
		rules := JoinRuns(c.Rules, runs)
		for j := range rules {
			rules[j].Match = namePorts(rules[j].Match)
		}
		packed.Chains[i].Rules = rules
	}
	return packed
}

// namePorts puts a kernel set in the place of more ports than multiport takes.
func namePorts(matches []Match) []Match {
	for i, m := range matches {
		if list, _ := m.(MultiPort); slots(list.Ranges) > MultiPortSlots {
			matches = slices.Clone(matches)
			matches[i] = PortInSet{Name: PortSetName(list.Ranges), Side: list.Side, Not: list.Not, Ranges: list.Ranges}
		}
	}
	return matches
}

// Sets lists the kernel sets of addresses that the rules need, each once, by name.
func (rs Ruleset) Sets() []InSet {
	return asked(rs, func(s InSet) string { return s.Name })
}

// PortSets lists the kernel sets of ports that the rules need, each once, by name.
func (rs Ruleset) PortSets() []PortInSet {
	return asked(rs, func(s PortInSet) string { return s.Name })
}

// asked lists the conditions of one kind, each name once.
func asked[M Match](rs Ruleset, name func(M) string) []M {
	var sets []M
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			for _, m := range r.Match {
				if s, ok := m.(M); ok {
					sets = append(sets, s)
				}
			}
		}
	}
	slices.SortStableFunc(sets, func(a, b M) int { return cmp.Compare(name(a), name(b)) })
	return slices.CompactFunc(sets, func(a, b M) bool { return name(a) == name(b) })
}
