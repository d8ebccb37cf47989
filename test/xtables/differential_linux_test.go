package xtables_test

import (
	"context"
	"strings"
	"testing"

	goiptables "github.com/coreos/go-iptables/iptables"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

// TestRestoreIsTheSameAsRuleByRule: the second hand appends each rule by a
// program run of its own; what stands in the end is equal.
func TestRestoreIsTheSameAsRuleByRule(t *testing.T) {
	for _, rules := range []string{"redirect", "tproxy", "dns", "large"} {
		eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
			single := rig.NewNamespace(t, "y")
			apply(t, n, flavour, rules)
			for _, f := range iptables.Families() {
				single.Do(func() { appendOneByOne(t, flavour, build(rules, f)) })
				got, want := ownText(t, n, flavour, f), ownText(t, single, flavour, f)
				if got != want || got == "" {
					t.Errorf("%s %s: restored\n%s\nrule by rule\n%s", rules, f, got, want)
				}
			}
		})
	}
}

func hand(t *testing.T, flavour rig.Flavour, f iptables.Family) *goiptables.IPTables {
	t.Helper()
	protocol := goiptables.ProtocolIPv4
	if f == iptables.V6 {
		protocol = goiptables.ProtocolIPv6
	}
	h, err := goiptables.New(goiptables.IPFamily(protocol), goiptables.Path(flavour.Program(family(f), "")), goiptables.Timeout(5))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func appendOneByOne(t *testing.T, flavour rig.Flavour, rs iptables.Ruleset) {
	t.Helper()
	h := hand(t, flavour, rs.Family)
	for _, c := range rs.Chains {
		if !c.IsBuiltin() {
			if err := h.NewChain(string(c.Table), c.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			words, err := iptables.SplitWords(r.String())
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Append(string(c.Table), c.Name, words...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// ownText is what is ours in a namespace, chain by chain.
func ownText(t *testing.T, n *rig.Namespace, flavour rig.Flavour, f iptables.Family) string {
	t.Helper()
	rs, err := iptables.Parse(f, n.Save(flavour, family(f)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range rs.Own().Chains {
		b.WriteString(string(c.Table) + " " + c.Name + "\n")
		for _, r := range c.Rules {
			b.WriteString("  " + r.Raw + "\n")
		}
	}
	return b.String()
}

func TestBothHandsReadTheSameRulesAndCounters(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		apply(t, n, flavour, "redirect")
		for range 3 { // refused, but counted
			if c, err := n.Dial(rig.User{UID: 1337, GID: 1337}, "tcp", "127.0.0.1:9"); err == nil {
				c.Close()
			}
		}
		b := backend(t, n, flavour)
		counted := uint64(0)
		n.Do(func() {
			saved, err := b.ReadCounted(context.Background(), iptables.V4)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range saved.Own().Chains {
				listed := listed(t, hand(t, flavour, iptables.V4), c)
				if got, want := len(listed), len(c.Rules); got != want {
					t.Fatalf("%s lists %d rules, want %d", c.Name, got, want)
				}
				for i, r := range c.Rules {
					if counted += r.Count.Packets; !r.Equal(listed[i]) || r.Count != listed[i].Count {
						t.Errorf("%s %d: saved %s %v, listed %s %v", c.Name, i+1, r, r.Count, listed[i], listed[i].Count)
					}
				}
			}
		})
		if counted == 0 {
			t.Error("nothing was counted")
		}
	})
}

// listed is a chain as the second hand lists it.
func listed(t *testing.T, h *goiptables.IPTables, c iptables.Chain) []iptables.Rule {
	t.Helper()
	text, err := h.ListWithCounters(string(c.Table), c.Name)
	if err != nil {
		t.Fatal(err)
	}
	var rules []iptables.Rule
	for _, line := range text {
		if body, ok := strings.CutPrefix(line, "-A "+c.Name+" "); ok {
			r, err := iptables.ParseRule(body)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, r)
		}
	}
	return rules
}
