package xtables_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/iptablestest"
)

// TestAnyStateBecomesAnyOther: whatever mixture of our and foreign rules stands,
// one script makes ours right and leaves the others, in their order.
func TestAnyStateBecomesAnyOtherByOneScript(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 5))
	for i := range 3000 {
		k := &iptablestest.Kernel{}
		have, want := randomRules(r, true), randomRules(r, false)
		if err := k.Load(iptables.V4, have); err != nil {
			t.Fatal(err)
		}
		wanted, err := iptables.Parse(iptables.V4, want)
		if err != nil {
			t.Fatal(err)
		}
		before := foreignOf(k.Dump(iptables.V4))
		script := iptables.Reconcile(k.Dump(iptables.V4), wanted)
		if err := k.Restore(context.Background(), iptables.V4, script); err != nil {
			t.Fatalf("round %d: %v\nhave\n%s\nwant\n%s\nscript\n%s", i, err, have, want, script)
		}
		after := k.Dump(iptables.V4)
		if diffs := iptables.Compare(after, wanted); len(diffs) > 0 {
			t.Fatalf("round %d: %v\nhave\n%s\nwant\n%s\nscript\n%s", i, diffs, have, want, script)
		}
		if got := foreignOf(after); got != before {
			t.Fatalf("round %d: foreign rules were\n%s\nare\n%s\nscript\n%s", i, before, got, script)
		}
		if again := iptables.Reconcile(after, wanted); !again.Empty() {
			t.Fatalf("round %d: a second run writes\n%s", i, again)
		}
	}
}

// randomRules is a dump in which chains, jumps and rules of ours stand in any
// number and order; with foreign ones between them, if asked for.
func randomRules(r *rand.Rand, foreign bool) string {
	own := []string{"ISTIO_INBOUND", "ISTIO_OUTPUT", "ISTIO_REDIRECT"}
	builtin := []string{"OUTPUT", "PREROUTING"}
	var lines []string
	var present []string
	for _, c := range own {
		if r.IntN(3) > 0 {
			present = append(present, c)
			lines = append(lines, ":"+c+" - [0:0]")
		}
	}
	if foreign {
		lines = append(lines, ":OTHER - [0:0]")
		builtin = append(builtin, "OTHER")
	}
	matches := []string{"", "-p tcp ", "-p udp ", "-o lo "}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	for range r.IntN(12) {
		switch kind := r.IntN(4); {
		case kind == 0 && len(present) > 0:
			lines = append(lines, "-A "+pick(present)+" "+pick(matches)+"-j RETURN")
		case kind <= 2 && len(present) > 0:
			lines = append(lines, "-A "+pick(builtin)+" "+pick(matches)+"-j "+pick(present))
		case foreign:
			lines = append(lines, "-A "+pick(builtin)+" "+pick(matches)+"-m comment --comment \"-j ISTIO_OUTPUT\" -j ACCEPT")
		}
	}
	return "*nat\n" + strings.Join(lines, "\n") + "\nCOMMIT\n"
}

// foreignOf lists what is not ours, in order.
func foreignOf(rs iptables.Ruleset) string {
	var b strings.Builder
	for _, c := range rs.Sorted().Chains {
		if iptables.Own(c.Table, c.Name) {
			continue
		}
		for _, rule := range c.Rules {
			if !iptables.Own(c.Table, rule.JumpChain()) {
				b.WriteString(c.Name + " " + rule.String() + "\n")
			}
		}
	}
	return b.String()
}
