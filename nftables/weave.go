package nftables

import "github.com/sluicemesh/sluice/iptables"

// weave makes one list of the rules of both families, in which each family
// meets its own rules in its own order. What both have is there once, as far as
// the longest common subsequence goes.
func weave(v4, v6 []iptables.Rule) []Rule {
	out := make([]Rule, 0, len(v4)+len(v6))
	for len(v4) > 0 && len(v6) > 0 && v4[0].Same(v6[0]) {
		out = append(out, Rule{Rule: v4[0]})
		v4, v6 = v4[1:], v6[1:]
	}
	next := commonLengths(v4, v6)
	i, j := 0, 0
	for i < len(v4) || j < len(v6) {
		switch {
		case i < len(v4) && j < len(v6) && v4[i].Same(v6[j]):
			out = append(out, Rule{Rule: v4[i]})
			i, j = i+1, j+1
		case j == len(v6) || i < len(v4) && next(i+1, j) >= next(i, j+1):
			out = append(out, Rule{Only: iptables.V4, Rule: v4[i]})
			i++
		default:
			out = append(out, Rule{Only: iptables.V6, Rule: v6[j]})
			j++
		}
	}
	return out
}

// mostPairs bounds the work of a comparison of two chains. Longer chains are
// not worth it: their rules are listed apart.
const mostPairs = 1 << 20

// commonLengths returns the length of the longest common subsequence of the
// rules from i and from j on.
func commonLengths(a, b []iptables.Rule) func(i, j int) int {
	if len(a)*len(b) > mostPairs {
		return func(int, int) int { return 0 }
	}
	width := len(b) + 1
	table := make([]int, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i].Same(b[j]) {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
			} else {
				table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
			}
		}
	}
	return func(i, j int) int { return table[i*width+j] }
}
