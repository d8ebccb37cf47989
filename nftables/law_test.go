package nftables

import (
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// asChains takes the tables' rules of a family as they stand, divided chains
// and TPROXY's drop rules included, so that Trace walks what the kernel walks.
func asChains(ts Tables, f iptables.Family) iptables.Ruleset {
	rs := iptables.Ruleset{Family: f}
	for _, t := range ts {
		if t.Only != 0 && t.Only != f {
			continue
		}
		for _, c := range t.Chains {
			table, name := splitName(c.Name)
			out := iptables.Chain{Table: table, Name: name}
			for _, r := range c.Rules {
				if family := max(t.Only, r.Only); family == 0 || family == f {
					out.Rules = append(out.Rules, familyRule(r, f))
				}
			}
			rs.Chains = append(rs.Chains, out)
		}
	}
	return rs
}

// sameOutcome compares what becomes of a packet, not by which rule.
func sameOutcome(a, b iptables.Outcome) bool {
	return a.Fate == b.Fate && a.Port == b.Port && a.Mark == b.Mark && a.ConnMark == b.ConnMark && a.Zone == b.Zone
}

func TestTablesDecideLikeTheRulesTheyCameFrom(t *testing.T) {
	r := random(t)
	for range *rounds {
		v4, v6 := randomRules(t, r)
		for _, l := range []Layout{Inet, Split} {
			ts, err := Translate(l, v4, v6)
			if err != nil {
				t.Fatal(err)
			}
			back4, back6 := ts.Rulesets()
			for range 60 {
				f := pick(r, iptables.V4, iptables.V6)
				rules, back := v4, back4
				if f == iptables.V6 {
					rules, back = v6, back6
				}
				p, path := randomPacket(r, f)
				want := rules.Trace(p, path, nil)
				if got := asChains(ts, f).Trace(p, path, nil); !sameOutcome(got, want) {
					t.Fatalf("packet %+v owner %+v: tables say %+v, rules say %+v\n%s\n%s", p, p.Owner, got, want, ts, iptables.Render(rules))
				}
				if got := back.Trace(p, path, nil); !sameOutcome(got, want) {
					t.Fatalf("packet %+v owner %+v: after the way back %+v, before %+v\n%s\n%s", p, p.Owner, got, want, iptables.Render(back), iptables.Render(rules))
				}
			}
		}
	}
}

func TestTheWayBackAndForthGivesTheSameTables(t *testing.T) {
	r := random(t)
	check := func(v4, v6 iptables.Ruleset) {
		for _, l := range []Layout{Inet, Split} {
			ts, err := Translate(l, v4, v6)
			if err != nil {
				t.Fatal(err)
			}
			back4, back6 := ts.Rulesets()
			again, err := Translate(l, back4, back6)
			if err != nil {
				t.Fatalf("%v\n%s", err, ts)
			}
			if got, want := again.String(), ts.String(); got != want {
				t.Fatalf("there and back: %s\n%s", firstDifference(got, want), want)
			}
		}
	}
	check(samples(t))
	for range *rounds {
		check(randomRules(t, r))
	}
}

func TestNoRuleComparesAnOwnerToBeUnequal(t *testing.T) {
	r := random(t)
	inverted, divided := 0, 0
	for range *rounds {
		v4, v6 := randomRules(t, r)
		for _, c := range v4.Chains {
			for _, rule := range c.Rules {
				if _, owners := splitOwners(rule.Match); len(owners) > 0 {
					inverted++
				}
			}
		}
		ts, err := Translate(Inet, v4, v6)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range ts[0].Chains {
			if isRest(c.Name) {
				divided++
			}
			for _, rule := range c.Rules {
				if _, owners := splitOwners(rule.Match); len(owners) > 0 {
					t.Fatalf("%s: %s\n%s", c.Name, rule, ts)
				}
			}
		}
	}
	if inverted == 0 || divided == 0 {
		t.Errorf("%d rules had an inverted owner and %d chains were divided: the random settings miss their mark", inverted, divided)
	}
}
