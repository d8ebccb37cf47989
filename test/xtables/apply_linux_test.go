package xtables_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/test/rig"
)

// others is what else stands in a namespace.
const others = `*nat
-A PREROUTING -p tcp -m tcp --dport 8472 -j ACCEPT
:OTHER - [0:0]
-A OUTPUT -m comment --comment "see -j ISTIO_OUTPUT" -j OTHER
-A OTHER -p udp -m udp --dport 53 -j RETURN
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
COMMIT
`

func family(f iptables.Family) rig.Family { return rig.Family(f) }

func TestSaveShowsTheTextThatWasRendered(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		for _, rules := range []string{"redirect", "tproxy", "dns", "large"} {
			apply(t, n, flavour, rules)
			for _, f := range iptables.Families() {
				saved := lines(n.Save(flavour, family(f)))
				for line := range strings.Lines(iptables.Render(build(rules, f))) {
					if line = strings.TrimSpace(line); strings.HasPrefix(line, "-A") && !slices.Contains(saved, line) {
						t.Errorf("%s %s: not saved as %s", rules, f, line)
					}
				}
			}
			mustStand(t, n, flavour, rules)
		}
	})
}

func lines(s string) []string { return strings.Split(s, "\n") }

func TestThreeRunsAreOneAndTheLaterOnesWriteNothing(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		apply(t, n, flavour, "dns")
		once := n.State()
		for range 2 {
			b := backend(t, n, flavour)
			n.Do(func() {
				r, err := xtables.Apply(context.Background(), b, both("dns"))
				if err != nil || r.Attempts != 0 {
					t.Errorf("report %+v, error %v", r, err)
				}
			})
		}
		if diff := once.Diff(n.State()); diff != "" {
			t.Errorf("later runs changed\n%s", diff)
		}
	})
}

func TestForeignRulesSurviveApplyChangeAndRemove(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		for _, f := range rig.Families() {
			n.Restore(flavour, f, others)
		}
		apply(t, n, flavour, "none") // creates nothing
		before := foreignRules(n, flavour)
		for _, rules := range []string{"redirect", "tproxy", "dns", "redirect", "none"} {
			apply(t, n, flavour, rules)
			mustStand(t, n, flavour, rules)
			if after := foreignRules(n, flavour); after != before {
				t.Fatalf("after %s\n%s\nbefore\n%s", rules, after, before)
			}
		}
	})
}

// foreignRules lists what is not ours.
func foreignRules(n *rig.Namespace, flavour rig.Flavour) string {
	var b strings.Builder
	for _, f := range iptables.Families() {
		rs, err := iptables.Parse(f, n.Save(flavour, family(f)))
		if err != nil {
			return err.Error()
		}
		for _, c := range rs.Sorted().Chains {
			for _, r := range c.Rules {
				if !iptables.Own(c.Table, c.Name) && !iptables.Own(c.Table, r.JumpChain()) {
					b.WriteString(string(c.Table) + " " + c.Name + " " + r.Raw + "\n")
				}
			}
		}
	}
	return b.String()
}

func TestRemovalOfNothingCreatesNothing(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	before := n.State()
	n.Do(func() {
		env := xtables.Look(context.Background(), nil)
		if present := xtables.Present(env); len(present) > 0 {
			t.Errorf("rules of ours may stand in %v, want nowhere", present)
		}
	})
	for _, f := range rig.Flavours() {
		apply(t, n, f, "none")
		mustStand(t, n, f, "none")
	}
	if diff := before.Diff(n.State()); diff != "" {
		t.Errorf("traces:\n%s", diff)
	}
}

func TestRemovalCleansBothFlavours(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	for _, f := range rig.Flavours() {
		for _, fam := range iptables.Families() {
			n.Restore(f, family(fam), iptables.Render(build("tproxy", fam)))
		}
	}
	n.Do(func() {
		present := xtables.Present(xtables.Look(context.Background(), nil))
		if len(present) != 2 {
			t.Fatalf("present: %v, want both", present)
		}
		if err := remove(context.Background(), present); err != nil {
			t.Fatal(err)
		}
	})
	for _, f := range rig.Flavours() {
		mustStand(t, n, f, "none")
	}
}

func TestRulesMoveFromOneFlavourToTheOther(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, to rig.Flavour) {
		from := rig.NFT
		if to == rig.NFT {
			from = rig.Legacy
		}
		apply(t, n, from, "redirect")
		apply(t, n, to, "redirect")
		mustStand(t, n, to, "redirect")
		mustStand(t, n, from, "none")
	})
}

func TestSeedsRulesAreTakenOverAndCleaned(t *testing.T) {
	text, err := os.ReadFile("../../testdata/dumps/istio-init-2022.restore")
	if err != nil {
		t.Fatal(err)
	}
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		n.Restore(flavour, rig.IPv4, string(text))
		apply(t, n, flavour, "redirect")
		mustStand(t, n, flavour, "redirect")
		apply(t, n, flavour, "none")
		mustStand(t, n, flavour, "none")
	})
}

func TestFixedFormsOfTheMeshAreCleanedOnlyBesideItsChains(t *testing.T) {
	for file, left := range map[string]int{"tproxy": 0, "foreign": 5} {
		text, err := os.ReadFile("../../testdata/legacy/" + file + ".save")
		if err != nil {
			t.Fatal(err)
		}
		eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
			n.Restore(flavour, rig.IPv4, string(text))
			apply(t, n, flavour, "none")
			if got := strings.Count(n.Save(flavour, rig.IPv4), "\n-A "); got != left {
				t.Errorf("%s: %d rules are left, want %d:\n%s", file, got, left, n.Save(flavour, rig.IPv4))
			}
		})
	}
}

func TestAnyEditOfOursIsSeenAndRepaired(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		apply(t, n, flavour, "redirect")
		for _, edit := range []string{
			"-D OUTPUT 1", "-A OUTPUT -p tcp -j ISTIO_OUTPUT", "-D ISTIO_OUTPUT 3", "-I ISTIO_OUTPUT -j RETURN", "-F ISTIO_REDIRECT",
			"-R ISTIO_IN_REDIRECT 1 -p tcp -j REDIRECT --to-ports 15007", "-A ISTIO_INBOUND -p tcp -m length --length 1:9 -j ACCEPT",
		} {
			n.Iptables(flavour, rig.IPv4, append([]string{"-t", "nat"}, strings.Fields(edit)...)...)
			b := backend(t, n, flavour)
			n.Do(func() {
				if diffs, err := xtables.Check(context.Background(), b, both("redirect")); len(diffs) == 0 || err != nil {
					t.Errorf("%s goes unnoticed: %v", edit, err)
				}
			})
			apply(t, n, flavour, "redirect")
			mustStand(t, n, flavour, "redirect")
		}
	})
}
