// Package xtables_test runs iptables/xtables on the real kernel, in both
// flavours and families. It needs root and the iptables programs.
package xtables_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/test/rig"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random")

// childWord tells this program, started again by a test, what to do instead of testing.
const childWord = "SLUICE_XTABLES_TEST_DOES"

func TestMain(m *testing.M) {
	if what := os.Getenv(childWord); what != "" {
		os.Exit(child(what))
	}
	rig.Main(m)
}

// child applies rules as a program of its own would, so that it can be killed
// or run with few capabilities: "redirect iptables-nft", "tproxy auto".
func child(what string) int {
	rules, backend, _ := strings.Cut(what, " ")
	var choice xtables.Choice
	if err := choice.UnmarshalText([]byte(backend)); err != nil {
		panic(err)
	}
	if err := program(context.Background(), nil, choice, both(rules)); err != nil {
		fmt.Println(xtables.KindOf(err))
		fmt.Println(err)
		return 1
	}
	return 0
}

// program is what a command does: lock, look, detect, apply, tidy up.
func program(ctx context.Context, path []string, choice xtables.Choice, wants []iptables.Ruleset) error {
	release, err := xtables.Lock(ctx, 10*time.Second)
	if err != nil {
		return err
	}
	defer release()
	env := xtables.Look(ctx, path)
	b, _, err := xtables.Detect(env, choice)
	if err != nil {
		return err
	}
	if _, err := xtables.Apply(ctx, b, wants); err != nil {
		return err
	}
	return remove(ctx, xtables.Others(env, b))
}

// remove is an apply of nothing.
func remove(ctx context.Context, from []xtables.Backend) error {
	for _, b := range from {
		if _, err := xtables.Apply(ctx, b, both("none")); err != nil {
			return err
		}
	}
	return nil
}

// settings are the kinds of rule sets that the tests apply, as flag and value in turn.
func settings(name string) []string {
	classic := []string{"istio-inbound-ports", "*", "istio-service-cidr", "*", "istio-local-exclude-ports", "15090,15021,15020"}
	switch name {
	case "redirect":
		return classic
	case "tproxy":
		return append(classic, "istio-inbound-interception-mode", "TPROXY", "drop-invalid", "true")
	case "dns":
		return append(classic, "redirect-dns", "true", "capture-all-dns", "true", "istio-exclude-interfaces", "eth7")
	case "large":
		return append(classic, "istio-service-exclude-cidr", strings.Repeat("192.0.2.0/24,2001:db8::/32,", 1)+cidrs(40),
			"istio-local-outbound-ports-exclude", "1,3,5,7,9,11,13,15,17,19,21-30,41,43,45,47,49,51,53,55")
	}
	panic("no such settings: " + name)
}

func cidrs(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("198.18.%d.0/24", 2*i), fmt.Sprintf("2001:db8:%x::/48", 2*i+1))
	}
	return strings.Join(list, ",")
}

// build makes the rule set of a family; "none" is the empty one.
func build(name string, f iptables.Family) iptables.Ruleset {
	if name == "none" {
		return iptables.Ruleset{Family: f}
	}
	pairs := settings(name)
	var inputs []builder.Input
	for i := 0; i < len(pairs); i += 2 {
		inputs = append(inputs, builder.Input{Flag: pairs[i], Value: pairs[i+1], Origin: "test"})
	}
	p, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		panic(err)
	}
	return builder.Build(p.Config, f)
}

func both(name string) []iptables.Ruleset {
	return []iptables.Ruleset{build(name, iptables.V4), build(name, iptables.V6)}
}

func choiceOf(f rig.Flavour) xtables.Choice { return xtables.Choice("iptables-" + string(f)) }

// backend detects one flavour's backend inside the namespace.
func backend(t *testing.T, n *rig.Namespace, f rig.Flavour) xtables.Backend {
	t.Helper()
	var b xtables.Backend
	n.Do(func() {
		var err error
		if b, _, err = xtables.Detect(xtables.Look(context.Background(), nil), choiceOf(f)); err != nil {
			t.Fatal(err)
		}
	})
	return b
}

// apply applies and fails the test if that fails.
func apply(t *testing.T, n *rig.Namespace, f rig.Flavour, rules string) {
	t.Helper()
	n.Do(func() {
		if err := program(context.Background(), nil, choiceOf(f), both(rules)); err != nil {
			t.Fatal(err)
		}
	})
}

// mustStand fails the test unless exactly these rules of ours stand in a flavour.
func mustStand(t *testing.T, n *rig.Namespace, f rig.Flavour, rules string) {
	t.Helper()
	b := backend(t, n, f)
	n.Do(func() {
		diffs, err := xtables.Check(context.Background(), b, both(rules))
		if err != nil || len(diffs) > 0 {
			t.Errorf("%s should hold %s: %v %v", b, rules, diffs, err)
		}
	})
}

// eachFlavour runs a test in both, in a fresh namespace each.
func eachFlavour(t *testing.T, test func(*testing.T, *rig.Namespace, rig.Flavour)) {
	for _, f := range rig.Flavours() {
		t.Run(string(f), func(t *testing.T) { test(t, rig.NewNamespace(t, "x"), f) })
	}
}
