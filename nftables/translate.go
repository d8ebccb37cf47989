package nftables

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// TranslateError is a rule that nf_tables cannot express.
type TranslateError struct {
	Table  iptables.Table
	Chain  string
	Rule   iptables.Rule
	Reason string
}

// Error names the rule and the reason.
func (e *TranslateError) Error() string {
	return fmt.Sprintf("%s %s: %q: %s", e.Table, e.Chain, e.Rule, e.Reason)
}

// Translate renders a rule set of each family for nf_tables. A rule set without
// chains is a family without rules. All rules that cannot be expressed are
// reported together, as [*TranslateError].
func Translate(l Layout, v4, v6 iptables.Ruleset) (Tables, error) {
	v4.Family, v6.Family = iptables.V4, iptables.V6
	if err := errors.Join(v4.Validate(), v6.Validate()); err != nil {
		return nil, err
	}
	a, err4 := prepare(v4)
	b, err6 := prepare(v6)
	if err := errors.Join(err4, err6); err != nil {
		return nil, err
	}
	if l == Split {
		return splitTables(a, b), nil
	}
	return inetTable(a, b), nil
}

// prepare brings every rule of a family into our form, neighbours joined.
func prepare(rs iptables.Ruleset) (iptables.Ruleset, error) {
	rs = rs.Sorted()
	var errs []error
	for i := range rs.Chains {
		c := &rs.Chains[i]
		rules := make([]iptables.Rule, len(c.Rules))
		for j, r := range c.Rules {
			n, reason := normal(r)
			if reason != "" {
				errs = append(errs, &TranslateError{c.Table, c.Name, r, reason})
			}
			rules[j] = n
		}
		c.Rules = iptables.JoinRuns(rules, iptables.Runs{})
	}
	return rs, errors.Join(errs...)
}

func splitTables(sets ...iptables.Ruleset) Tables {
	var ts Tables
	for _, rs := range sets {
		t := Table{Only: rs.Family}
		for _, c := range rs.Chains {
			t.add(c, anyFamily(c.Rules))
		}
		ts = ts.with(t)
	}
	return ts
}

func inetTable(a, b iptables.Ruleset) Tables {
	both := iptables.Ruleset{Chains: slices.Clone(a.Chains)}
	for _, c := range b.Chains {
		if _, ok := a.Chain(c.Table, c.Name); !ok {
			both.Chains = append(both.Chains, c)
		}
	}
	var t Table
	for _, c := range both.Sorted().Chains {
		x, _ := a.Chain(c.Table, c.Name)
		y, _ := b.Chain(c.Table, c.Name)
		t.add(c, weave(x.Rules, y.Rules))
	}
	return Tables(nil).with(t)
}

func (ts Tables) with(t Table) Tables {
	if len(t.Chains) == 0 {
		return ts
	}
	return append(ts, t)
}

// add appends a chain, in as many parts as it takes.
func (t *Table) add(c iptables.Chain, rules []Rule) {
	for i := range rules {
		if j, ok := rules[i].Target.(iptables.JumpTo); ok {
			j.Chain = chainName(c.Table, j.Chain)
			rules[i].Target = j
		}
	}
	parts := divide(chainName(c.Table, c.Name), withDrops(rules))
	parts[0].Hook = hookOf(c.Table, c.Name)
	t.Chains = append(t.Chains, parts...)
}

func anyFamily(rules []iptables.Rule) []Rule {
	out := make([]Rule, len(rules))
	for i, r := range rules {
		out[i] = Rule{Rule: r}
	}
	return out
}
