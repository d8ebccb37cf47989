package xtables_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/iptablestest"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random walks")

var errInjected = errors.New("injected")

// foreign is what others have in the namespace: rules before, between and
// behind ours, chains that look like ours, and comments that name ours.
const foreign = `*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:ISTIO_PRERT - [0:0]
:OTHER - [0:0]
-A PREROUTING -p tcp -m comment --comment "not -j ISTIO_INBOUND" -j ISTIO_PRERT
-A OUTPUT -p tcp -m comment --comment ISTIO_OUTPUT -j OTHER
-A OTHER -j RETURN
COMMIT
`

// redirect and tproxy are small rule sets of two kinds that share chains.
func redirect(f iptables.Family) iptables.Ruleset {
	rs := iptables.Ruleset{Family: f}
	tcp := []iptables.Match{iptables.TCP()}
	rs.Append(iptables.Nat, iptables.Prerouting, iptables.Rule{Match: tcp, Target: iptables.Jump(iptables.ChainInbound)})
	rs.Append(iptables.Nat, iptables.Output, iptables.Rule{Match: tcp, Target: iptables.Jump(iptables.ChainOutput)})
	rs.Append(iptables.Nat, iptables.ChainInbound, tunnel(), iptables.Rule{Match: tcp, Target: iptables.Jump(iptables.ChainInRedirect)})
	rs.Append(iptables.Nat, iptables.ChainInRedirect, iptables.Rule{Match: tcp, Target: iptables.Redirect{Port: 15006}})
	rs.Append(iptables.Nat, iptables.ChainOutput,
		iptables.Rule{Match: []iptables.Match{iptables.ByUID(iptables.OneID(1337))}, Target: iptables.Return()},
		iptables.Rule{Target: iptables.Jump(iptables.ChainRedirect)})
	rs.Append(iptables.Nat, iptables.ChainRedirect, iptables.Rule{Match: tcp, Target: iptables.Redirect{Port: 15001}})
	return rs
}

func tunnel() iptables.Rule {
	port := iptables.ToPort(iptables.OnePort(15008))
	return iptables.Rule{Match: []iptables.Match{iptables.TCP(), port}, Target: iptables.Return()}
}

func tproxy(f iptables.Family) iptables.Ruleset {
	rs := iptables.Ruleset{Family: f}
	tcp := []iptables.Match{iptables.TCP()}
	rs.Append(iptables.Raw, iptables.Output, iptables.Rule{Match: []iptables.Match{iptables.UDP()}, Target: iptables.Jump(iptables.ChainOutputDNS)})
	rs.Append(iptables.Raw, iptables.ChainOutputDNS, iptables.Rule{Match: []iptables.Match{iptables.UDP()}, Target: iptables.Zone{ID: 1}})
	rs.Append(iptables.Mangle, iptables.Prerouting, iptables.Rule{Match: tcp, Target: iptables.Jump(iptables.ChainInbound)})
	rs.Append(iptables.Mangle, iptables.ChainInbound, tunnel(), iptables.Rule{Match: tcp, Target: iptables.Jump(iptables.ChainTProxy)})
	rs.Append(iptables.Mangle, iptables.ChainTProxy, iptables.Rule{Match: tcp, Target: iptables.TProxy{
		Port: 15006, On: f.Any().Addr(), Mark: 1337, Mask: iptables.FullMask,
	}})
	rs.Append(iptables.Nat, iptables.Output, iptables.Rule{Match: tcp, Target: iptables.Jump(iptables.ChainOutput)})
	rs.Append(iptables.Nat, iptables.ChainOutput, iptables.Rule{Target: iptables.Jump(iptables.ChainRedirect)})
	rs.Append(iptables.Nat, iptables.ChainRedirect, iptables.Rule{Match: tcp, Target: iptables.Redirect{Port: 15001}})
	return rs
}

// both makes a rule set for each family.
func both(rules func(iptables.Family) iptables.Ruleset) []iptables.Ruleset {
	return []iptables.Ruleset{rules(iptables.V4), rules(iptables.V6)}
}

func nothing(f iptables.Family) iptables.Ruleset { return iptables.Ruleset{Family: f} }

func withForeign(t *testing.T) *iptablestest.Kernel {
	t.Helper()
	k := &iptablestest.Kernel{}
	for _, f := range iptables.Families() {
		if err := k.Load(f, foreign); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// dump is what stands in both families, without counters.
func dump(k *iptablestest.Kernel) string {
	return text(k.Dump(iptables.V4)) + text(k.Dump(iptables.V6))
}

// text lists chains and rules; empty built-in chains with their usual policy are
// left out, since a table that was never used does not show them.
func text(rs iptables.Ruleset) string {
	s := rs.Family.String() + "\n"
	for _, c := range rs.Sorted().Chains {
		usual := c.Policy == "" || c.Policy == iptables.VerdictAccept
		if c.IsBuiltin() && len(c.Rules) == 0 && usual {
			continue
		}
		s += string(c.Table) + " " + c.Name + "\n"
		for _, r := range c.Rules {
			s += "  " + r.String() + "\n"
		}
	}
	return s
}

func mustApply(t *testing.T, k xtables.Kernel, wants []iptables.Ruleset) xtables.Report {
	t.Helper()
	r, err := xtables.Apply(context.Background(), k, wants)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSecondApplyWritesNothing(t *testing.T) {
	k := withForeign(t)
	if r := mustApply(t, k, both(redirect)); r.Attempts != 1 || len(r.Changes) != 2 {
		t.Errorf("first apply reports %+v, want one attempt and two families", r)
	}
	before := k.Count(iptablestest.Commit)
	if r := mustApply(t, k, both(redirect)); r.Attempts != 0 || len(r.Changes) != 0 {
		t.Errorf("second apply reports %+v, want unchanged", r)
	}
	if n := k.Count(iptablestest.Commit) - before; n != 0 {
		t.Errorf("second apply committed %d tables", n)
	}
}

func TestAFreshApplyReadsAndWritesEachFamilyOnce(t *testing.T) {
	k := &iptablestest.Kernel{}
	mustApply(t, k, both(redirect))
	if got, want := k.Count(iptablestest.Read), 4; got != want {
		t.Errorf("%d reads, want %d: each family before and after", got, want)
	}
	if got, want := k.Count(iptablestest.Commit), 2; got != want {
		t.Errorf("%d commits, want %d", got, want)
	}
}

func TestRemovalLeavesForeignRulesAsTheyWere(t *testing.T) {
	for name, rules := range map[string]func(iptables.Family) iptables.Ruleset{"redirect": redirect, "tproxy": tproxy} {
		k := withForeign(t)
		before := dump(k)
		mustApply(t, k, both(rules))
		mustApply(t, k, both(nothing))
		if after := dump(k); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", name, before, after)
		}
	}
}

func TestApplyThatFailsAtAnyStepLeavesTheStateBefore(t *testing.T) {
	failures := 0
	for n := 1; ; n++ {
		k := withForeign(t)
		mustApply(t, k, both(redirect))
		before := dump(k)
		k.Steps, k.Before = nil, iptablestest.FailAt(n, errInjected)
		_, err := xtables.Apply(context.Background(), k, both(tproxy))
		if len(k.Steps) < n {
			break // the fault lay behind the end
		}
		failures++
		if err == nil { // the step was tried again, or its effect was there all the same
			diffs, _ := xtables.Check(context.Background(), k, both(tproxy))
			if len(diffs) > 0 {
				t.Errorf("step %d failed, apply says it did not, but %v", n, diffs)
			}
			continue
		}
		var failed *xtables.ApplyError
		if errors.As(err, &failed) && failed.Undo != nil || !errors.Is(err, errInjected) {
			t.Errorf("step %d: got %v, want the injected error and nothing about the undoing", n, err)
		}
		if after := dump(k); after != before {
			t.Errorf("step %d failed (%v): before\n%s\nafter\n%s", n, err, before, after)
		}
	}
	if failures < 8 {
		t.Errorf("only %d steps could fail", failures)
	}
}

func TestFailedUndoSaysWhatIsWhere(t *testing.T) {
	k := withForeign(t)
	mustApply(t, k, both(redirect))
	k.Steps = nil
	k.Before = func(s iptablestest.Step) error { // from the second family on nothing can be written
		if s.Op == iptablestest.Commit && s.Family == iptables.V6 || s.Op == iptablestest.Commit && s.Number > 6 {
			return errInjected
		}
		return nil
	}
	_, err := xtables.Apply(context.Background(), k, both(tproxy))
	var failed *xtables.ApplyError
	if !errors.As(err, &failed) || failed.Undo == nil {
		t.Fatalf("got %v, want an apply error with a failed undo", err)
	}
	for _, s := range failed.States {
		want := xtables.New
		if s.Family == iptables.V6 {
			want = xtables.Old
		}
		if s.Holds != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	if len(failed.States) == 0 {
		t.Error("no table is named")
	}
}

func TestKilledAtAnyStepEachTableIsOldOrNewAndTheNextRunRepairs(t *testing.T) {
	for n := 1; ; n++ {
		k := withForeign(t)
		mustApply(t, k, both(redirect))
		k.Steps, k.Before = nil, iptablestest.FailFrom(n, errInjected)
		xtables.Apply(context.Background(), k, both(tproxy))
		if len(k.Steps) < n {
			break
		}
		k.Before = nil
		for _, f := range iptables.Families() {
			oneOf(t, n, k.Dump(f), redirect(f), tproxy(f))
		}
		mustApply(t, k, both(tproxy))
		if diffs, err := xtables.Check(context.Background(), k, both(tproxy)); len(diffs) > 0 || err != nil {
			t.Errorf("killed at step %d, after the next run: %v %v", n, diffs, err)
		}
	}
}

// oneOf holds each table to be entirely the old or entirely the new one.
func oneOf(t *testing.T, n int, have, old, new iptables.Ruleset) {
	t.Helper()
	for _, table := range iptables.Tables() {
		h := only(have, table)
		if len(iptables.Compare(h, only(old, table))) > 0 && len(iptables.Compare(h, only(new, table))) > 0 {
			t.Errorf("killed at step %d: %s %s is neither old nor new:\n%s", n, have.Family, table, text(h))
		}
	}
}

func only(rs iptables.Ruleset, table iptables.Table) iptables.Ruleset {
	out := iptables.Ruleset{Family: rs.Family}
	for _, c := range rs.Chains {
		if c.Table == table {
			out.Chains = append(out.Chains, c)
		}
	}
	return out
}

func TestForeignEditsBetweenReadAndWriteAreMended(t *testing.T) {
	doubled := iptables.TableScript{Table: iptables.Nat, Append: []string{"-A OUTPUT -p tcp -j ISTIO_OUTPUT"}}
	deleted := iptables.TableScript{Table: iptables.Nat, Delete: []string{"-D PREROUTING -p tcp -j ISTIO_INBOUND"}}
	emptied := iptables.TableScript{Table: iptables.Nat, Declare: []string{":ISTIO_OUTPUT - [0:0]"}}
	for name, edit := range map[string]iptables.TableScript{"doubled jump": doubled, "deleted jump": deleted, "emptied chain": emptied} {
		for at := 2; at <= 8; at++ {
			k := withForeign(t)
			mustApply(t, k, both(redirect))
			k.Steps = nil
			k.Before = func(s iptablestest.Step) error {
				if s.Number == at {
					_ = k.Edit(iptables.V4, edit) // what it edits may be gone by then
				}
				return nil
			}
			if _, err := xtables.Apply(context.Background(), k, both(tproxy)); err != nil {
				t.Errorf("%s before step %d: %v", name, at, err)
			}
			if diffs, _ := xtables.Check(context.Background(), k, both(tproxy)); len(diffs) > 0 {
				t.Errorf("%s before step %d leaves %v", name, at, diffs)
			}
		}
	}
}

func TestAnOpponentWhoAlwaysEditsIsNamedAndApplyEnds(t *testing.T) {
	k := &iptablestest.Kernel{}
	chains := []string{iptables.ChainOutput, iptables.ChainRedirect}
	k.Before = func(s iptablestest.Step) error {
		if s.Op == iptablestest.Read && k.Count(iptablestest.Commit) > 0 {
			chain := chains[k.Count(iptablestest.Commit)%2]
			return k.Edit(s.Family, iptables.TableScript{Table: iptables.Nat, Append: []string{"-A " + chain + " -j DROP"}})
		}
		return nil
	}
	r, err := xtables.Apply(context.Background(), k, []iptables.Ruleset{redirect(iptables.V4)})
	if xtables.KindOf(err) != xtables.Busy || err == nil {
		t.Errorf("got %v of kind %s, want %s", err, xtables.KindOf(err), xtables.Busy)
	}
	if r.Attempts != 4 {
		t.Errorf("%d attempts, want 4", r.Attempts)
	}
}

// deaf is a kernel that says yes to every script and carries none out.
type deaf struct{ *iptablestest.Kernel }

func (d deaf) Restore(context.Context, iptables.Family, iptables.Script) error { return nil }

func TestWritingWithoutEffectIsNotTakenForSuccess(t *testing.T) {
	r, err := xtables.Apply(context.Background(), deaf{&iptablestest.Kernel{}}, both(redirect))
	if err == nil || !strings.Contains(err.Error(), "reads back differently") || r.Attempts != 1 {
		t.Errorf("got %v after %d attempts", err, r.Attempts)
	}
}

func TestRandomWalkOverStatesEndsWhereItShould(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 2))
	states := []func(iptables.Family) iptables.Ruleset{redirect, tproxy, nothing}
	k := withForeign(t)
	for range 300 {
		want := both(states[r.IntN(len(states))])
		if r.IntN(3) == 0 {
			k.Steps, k.Before = nil, iptablestest.FailFrom(1+r.IntN(12), errInjected)
			xtables.Apply(context.Background(), k, both(states[r.IntN(len(states))]))
			k.Before = nil
		}
		mustApply(t, k, want)
		if diffs, err := xtables.Check(context.Background(), k, want); err != nil || len(diffs) > 0 {
			t.Fatalf("%v %v", diffs, err)
		}
	}
	mustApply(t, k, both(nothing))
	clean := withForeign(t)
	if got, want := dump(k), dump(clean); got != want {
		t.Errorf("foreign rules are\n%s\nwere\n%s", got, want)
	}
}

func TestRulesThatCannotBeRenderedAreNeverSent(t *testing.T) {
	bad := nothing(iptables.V4)
	bad.Append(iptables.Nat, iptables.Output, iptables.Rule{Target: iptables.Jump(iptables.ChainOutput)})
	k := &iptablestest.Kernel{}
	if _, err := xtables.Apply(context.Background(), k, []iptables.Ruleset{bad}); err == nil || len(k.Steps) > 0 {
		t.Errorf("error %v after %v", err, k.Steps)
	}
}
