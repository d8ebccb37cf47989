package diff

import (
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// nameClasses divides all interface names by the patterns of the rule sets:
// for each class that some pattern tells apart, one name. A name ending in
// "*" stands for those that share its beginning and nothing else that a
// pattern asks for; "*" alone for all that no pattern names.
func nameClasses(sets ...iptables.Ruleset) []string {
	candidates := []string{"lo", "*"}
	patterns := []string{"lo"}
	for _, rs := range sets {
		for _, pattern := range patternsOf(rs) {
			patterns = append(patterns, pattern)
			if p, ok := strings.CutSuffix(pattern, "+"); ok {
				candidates = append(candidates, p+"*")
				continue
			}
			candidates = append(candidates, pattern)
		}
	}
	var classes, seen []string
	for _, name := range candidates {
		if key := verdicts(patterns, name); !slices.Contains(seen, key) && len(name) <= 16 {
			seen = append(seen, key)
			classes = append(classes, name)
		}
	}
	return classes
}

// verdicts is which patterns match a name.
func verdicts(patterns []string, name string) string {
	key := make([]byte, len(patterns))
	for i, p := range patterns {
		key[i] = '0'
		if iptables.MatchesInterface(p, name) {
			key[i] = '1'
		}
	}
	return string(key)
}

func patternsOf(rs iptables.Ruleset) []string {
	var list []string
	add := func(p string) {
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	for _, c := range rs.Chains {
		for i := range c.Rules {
			for _, m := range c.Rules[i].Match {
				switch m := m.(type) {
				case iptables.InInterface:
					add(m.Name)
				case iptables.OutInterface:
					add(m.Name)
				}
			}
		}
	}
	return list
}
