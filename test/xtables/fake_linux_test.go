package xtables_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/iptablestest"
	"github.com/sluicemesh/sluice/test/rig"
)

// TestTheFakeKernelDoesWhatTheRealOneDoes sends random scripts, many of them
// wrong, to both: each succeeds on both or fails on both, and leaves the same.
func TestTheFakeKernelDoesWhatTheRealOneDoes(t *testing.T) {
	t.Logf("-seed %d", *seed)
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		r := rand.New(rand.NewPCG(*seed, 4))
		fake := &iptablestest.Kernel{}
		b := backend(t, n, flavour)
		outcomes := map[bool]int{}
		for i := range 150 {
			f := iptables.Families()[r.IntN(2)]
			script := randomScript(r, f)
			wantErr := fake.Restore(context.Background(), f, script)
			var gotErr error
			var real iptables.Ruleset
			n.Do(func() {
				gotErr = b.Restore(context.Background(), f, script)
				var err error
				if real, err = b.Read(context.Background(), f); err != nil {
					t.Fatal(err)
				}
			})
			outcomes[gotErr == nil]++
			if (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("script %d: the fake says %v, the kernel %v\n%s", i, wantErr, gotErr, script)
			}
			if got, want := contents(real), contents(fake.Dump(f)); got != want {
				t.Fatalf("script %d (%v): the kernel holds\n%s\nthe fake\n%s\nafter\n%s", i, gotErr, got, want, script)
			}
		}
		if outcomes[true] < 20 || outcomes[false] < 20 {
			t.Errorf("the scripts are no test: outcomes %v", outcomes)
		}
	})
}

// randomChains are used in this order by jumps, so that none loops.
var randomChains = []string{"OUTPUT", "A", "ISTIO_OUTPUT", "B"}

func randomScript(r *rand.Rand, f iptables.Family) iptables.Script {
	script := iptables.Script{Family: f}
	for _, table := range []iptables.Table{iptables.Mangle, iptables.Nat} {
		if r.IntN(2) == 0 {
			script.Tables = append(script.Tables, randomTable(r, table))
		}
	}
	return script
}

func randomTable(r *rand.Rand, table iptables.Table) iptables.TableScript {
	s := iptables.TableScript{Table: table}
	user := randomChains[1:]
	for range r.IntN(3) {
		s.Declare = append(s.Declare, ":"+user[r.IntN(len(user))]+" - [0:0]")
	}
	for range r.IntN(2) {
		s.Delete = append(s.Delete, "-D "+randomRule(r))
	}
	for range r.IntN(4) {
		s.Append = append(s.Append, "-A "+randomRule(r))
	}
	if r.IntN(5) == 0 {
		s.Destroy = append(s.Destroy, "-X "+user[r.IntN(len(user))])
	}
	return s
}

func randomRule(r *rand.Rand) string {
	i := r.IntN(len(randomChains))
	match := []string{"-p tcp ", "-p udp -m udp --dport 53 ", ""}[r.IntN(3)]
	target := "RETURN"
	if later := randomChains[i+1:]; len(later) > 0 && r.IntN(2) == 0 {
		target = later[r.IntN(len(later))]
	}
	return fmt.Sprintf("%s %s-j %s", randomChains[i], match, target)
}

// contents lists user-defined chains and all rules; built-in chains without
// rules are there or not, depending on whether the table was ever used.
func contents(rs iptables.Ruleset) string {
	var b strings.Builder
	for _, table := range iptables.Tables() {
		for _, name := range append(table.Builtins(), randomChains[1:]...) {
			c, ok := rs.Chain(table, name)
			if !ok || c.IsBuiltin() && len(c.Rules) == 0 {
				continue
			}
			fmt.Fprintf(&b, "%s %s\n", table, name)
			for _, r := range c.Rules {
				fmt.Fprintf(&b, "  %s\n", r)
			}
		}
	}
	return b.String()
}
