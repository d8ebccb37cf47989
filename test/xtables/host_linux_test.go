package xtables_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestFreshDualStackApplyRunsFewProgramsAndTheSecondFewer(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		tools := rig.NewTools(t, []rig.Flavour{flavour}) // scripts, so that their version must be asked for
		count := func() int {
			n.Do(func() {
				if err := program(context.Background(), []string{tools.Dir}, xtables.Auto, both("dns")); err != nil {
					t.Fatal(err)
				}
			})
			calls := tools.Calls()
			t.Log(strings.Join(calls, "\n"))
			return len(calls)
		}
		first, second := count(), count()
		if first > 6 {
			t.Errorf("the first apply ran %d programs, want at most 6", first)
		}
		if second >= first {
			t.Errorf("the second apply ran %d programs, the first %d", second, first)
		}
		mustStand(t, n, flavour, "dns")
	})
}

func TestOneFlavourOfTheHostIsFoundAndUsed(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		tools := rig.NewTools(t, []rig.Flavour{flavour})
		for _, choice := range []xtables.Choice{xtables.Auto, xtables.Plain, choiceOf(flavour)} {
			n.Do(func() {
				if err := program(context.Background(), []string{tools.Dir}, choice, both("redirect")); err != nil {
					t.Errorf("%s: %v", choice, err)
				}
			})
		}
		mustStand(t, n, flavour, "redirect")
		other := choiceOf(rig.Legacy)
		if flavour == rig.Legacy {
			other = choiceOf(rig.NFT)
		}
		n.Do(func() {
			err := program(context.Background(), []string{tools.Dir}, other, both("redirect"))
			if xtables.KindOf(err) != xtables.Unusable || err == nil {
				t.Errorf("%s without its programs: %v", other, err)
			}
		})
	})
}

func TestAutoStaysWhereOursStandWhateverTheHostPrefers(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		apply(t, n, flavour, "redirect")
		for _, order := range [][]rig.Flavour{{rig.NFT, rig.Legacy}, {rig.Legacy, rig.NFT}} {
			tools := rig.NewTools(t, order)
			n.Do(func() {
				if err := program(context.Background(), []string{tools.Dir}, xtables.Auto, both("tproxy")); err != nil {
					t.Fatal(err)
				}
			})
			mustStand(t, n, flavour, "tproxy")
		}
		before := n.State()
		backend(t, n, flavour)
		if diff := before.Diff(n.State()); diff != "" {
			t.Errorf("detection left\n%s", diff)
		}
	})
}

func TestDetectionLeavesNoTrace(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	before := n.State()
	for _, choice := range []xtables.Choice{xtables.Auto, xtables.Plain, xtables.ChooseNFT, xtables.ChooseLegacy} {
		n.Do(func() {
			b, _, err := xtables.Detect(xtables.Look(context.Background(), nil), choice)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := xtables.Check(context.Background(), b, both("redirect")); err != nil {
				t.Error(err)
			}
		})
	}
	if diff := before.Diff(n.State()); diff != "" {
		t.Errorf("traces:\n%s", diff)
	}
}

func TestTablesThatSomeoneOnlyLookedAtChangeNoChoiceAndCostNoProgram(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	for _, f := range rig.Families() {
		n.Iptables(rig.Legacy, f, "-t", "nat", "-S") // creates the table
		n.Iptables(rig.Legacy, f, "-t", "filter", "-S")
	}
	tools := rig.NewTools(t, rig.Flavours())
	before := n.State()
	n.Do(func() {
		env := xtables.Look(context.Background(), []string{tools.Dir})
		for _, call := range tools.Calls() {
			if !strings.HasSuffix(call, "--version") {
				t.Errorf("ran %s", call)
			}
		}
		b, reasons, err := xtables.Detect(env, xtables.Auto)
		if err != nil || b.Flavour != xtables.NFT || len(xtables.Others(env, b)) > 0 || len(xtables.Present(env)) > 0 {
			t.Errorf("got %s %v %v, others %v", b, reasons, err, xtables.Others(env, b))
		}
	})
	if diff := before.Diff(n.State()); diff != "" {
		t.Errorf("traces:\n%s", diff)
	}
}

func TestRulesOfOthersInLegacyTablesDecideForLegacy(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	n.Iptables(rig.Legacy, rig.IPv4, "-A", "INPUT", "-i", "lo", "-j", "ACCEPT")
	n.Do(func() {
		b, reasons, err := xtables.Detect(xtables.Look(context.Background(), nil), xtables.Auto)
		if err != nil || b.Flavour != xtables.Legacy {
			t.Errorf("got %s %v %v, want legacy", b, reasons, err)
		}
	})
}
