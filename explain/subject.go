package explain

import (
	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// Subject is the rules that a question is asked of.
type Subject struct {
	// Rules has one rule set for each family that is known.
	Rules []iptables.Ruleset
	// Config is the settings that made the rules; nil when they are not known,
	// as with a dump.
	Config *builder.Config
	// Origin says where the rules are from, for people: "rules.v4".
	Origin string
	// Place is where the rules stand; nil when that is not known.
	Place *Place
	// Annotation names the annotation behind a setting's flag, "" if there is
	// none. May be nil.
	Annotation func(flag string) string
}

func (s Subject) of(f iptables.Family) (iptables.Ruleset, bool) {
	for _, rs := range s.Rules {
		if rs.Family == f {
			return rs, true
		}
	}
	return iptables.Ruleset{}, false
}

// families are those that a question without an address is asked for.
func (s Subject) families() []iptables.Family {
	var list []iptables.Family
	for _, rs := range s.Rules {
		list = append(list, rs.Family)
	}
	return list
}

// transparent says whether policy routing delivers packets of a mark here: the
// mark that TPROXY sets, for which its users make a rule and a route.
func transparent(rs iptables.Ruleset) func(uint32) bool {
	marks := map[uint32]bool{}
	for _, c := range rs.Chains {
		for i := range c.Rules {
			if t, ok := c.Rules[i].Target.(iptables.TProxy); ok {
				marks[t.Mark&t.Mask] = true
			}
		}
	}
	return func(m uint32) bool { return marks[m] }
}
