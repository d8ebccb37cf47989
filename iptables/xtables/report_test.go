package xtables_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/iptablestest"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

func TestUpToThreeDifferencesAreShownAndTheRestIsCounted(t *testing.T) {
	const (
		before = "verify: what was written reads back differently: "
		hint   = "; this version of iptables prints the rule in another form, or something undoes it at once; the rules are as they were before"
		rule4  = "IPv4 nat OUTPUT rule 1: missing -j ISTIO_OUTPUT; IPv4 nat ISTIO_OUTPUT: missing chain"
		chain4 = "; IPv4 nat ISTIO_REDIRECT: missing chain"
		rule6  = "; IPv6 nat OUTPUT rule 1: missing -j ISTIO_OUTPUT"
	)
	v4 := func(chains int) []iptables.Ruleset { return []iptables.Ruleset{jumps(chains)(iptables.V4)} }
	for _, c := range []struct {
		wants []iptables.Ruleset
		want  string
	}{
		{v4(1), rule4},
		{v4(2), rule4 + chain4},
		{both(jumps(1)), rule4 + rule6 + "; and 1 more"},
		{both(jumps(2)), rule4 + chain4 + "; and 3 more"},
	} {
		_, err := xtables.Apply(context.Background(), deaf{&iptablestest.Kernel{}}, c.wants)
		if got, want := words(err), before+c.want+hint; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestAContestIsReportedWithItsAttemptsAndWhatDiffers(t *testing.T) {
	k := &iptablestest.Kernel{}
	writes := 0
	k.Before = func(s iptablestest.Step) error { // another chain is spoilt after every write
		if s.Op == iptablestest.Commit {
			writes++
		}
		if s.Op == iptablestest.Read && writes > 0 {
			chain := []string{iptables.ChainOutput, iptables.ChainRedirect}[writes%2]
			return k.Edit(s.Family, iptables.TableScript{Table: iptables.Nat, Append: []string{"-A " + chain + " -j DROP"}})
		}
		return nil
	}
	_, err := xtables.Apply(context.Background(), k, []iptables.Ruleset{jumps(2)(iptables.V4)})
	const want = "verify: someone else changed our rules in each of 4 attempts: IPv4 nat ISTIO_OUTPUT rule 2: unwanted -j DROP; " +
		"find the other program that writes rules in this namespace: xtables-monitor, nft monitor"
	var failed *xtables.ApplyError
	if !errors.As(err, &failed) || failed.Cause.Error() != want {
		t.Errorf("got\n%v\nwant the cause\n%s", err, want)
	}
}

// What stood before, what is wanted, and what stands when the undoing fails.
func TestAFailedUndoTellsOldFromNewFromNeitherTableByTable(t *testing.T) {
	drop := func(table iptables.Table, chain string) iptables.TableScript {
		return iptables.TableScript{Table: table, Append: []string{"-A " + chain + " -j DROP"}}
	}
	for _, c := range []struct {
		name      string
		old, want func(iptables.Family) iptables.Ruleset
		meddle    iptables.TableScript // what someone else commits after the write
		states    []string
	}{
		{"a fresh namespace", nothing, redirect, iptables.TableScript{}, []string{"IPv4 nat: new rules"}},
		{"removal", tproxy, nothing, iptables.TableScript{}, []string{"IPv4 raw: new rules", "IPv4 mangle: new rules", "IPv4 nat: new rules"}},
		{"one table", redirect, jumps(2), iptables.TableScript{}, []string{"IPv4 nat: new rules"}},
		{"a table that stays", joined(redirect, zones), joined(jumps(2), zones), iptables.TableScript{}, []string{"IPv4 raw: old rules", "IPv4 nat: new rules"}},
		{"someone meddles", redirect, jumps(2), drop(iptables.Nat, iptables.ChainOutput), []string{"IPv4 nat: neither old nor new rules"}},
		{
			"someone makes a chain of ours", redirect, jumps(2),
			iptables.TableScript{Table: iptables.Mangle, Declare: []string{":ISTIO_DROP - [0:0]"}},
			[]string{"IPv4 mangle: neither old nor new rules", "IPv4 nat: new rules"},
		},
	} {
		k := withForeign(t)
		mustApply(t, k, []iptables.Ruleset{c.old(iptables.V4)})
		w := &meddled{witness{Kernel: k, at: map[int]answer{3: fails, 5: fails}}, c.meddle}
		_, err := xtables.Apply(context.Background(), w, []iptables.Ruleset{c.want(iptables.V4)})
		var failed *xtables.ApplyError
		if !errors.As(err, &failed) {
			t.Fatalf("%s: %v is no apply error", c.name, err)
		}
		var got []string
		for _, s := range failed.States {
			got = append(got, s.String())
		}
		if !slices.Equal(got, c.states) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.states)
		}
	}
}

// meddled is a kernel that someone else writes to right after the first write.
type meddled struct {
	witness
	edit iptables.TableScript
}

func (m *meddled) Restore(ctx context.Context, f iptables.Family, script iptables.Script) error {
	err := m.witness.Restore(ctx, f, script)
	if len(m.calls) == 2 && m.edit.Table != "" {
		return errors.Join(err, m.Edit(f, m.edit))
	}
	return err
}

// zones is a rule set of the raw table alone.
func zones(f iptables.Family) iptables.Ruleset {
	rs := iptables.Ruleset{Family: f}
	rs.Append(iptables.Raw, iptables.Output, iptables.Rule{Match: []iptables.Match{iptables.UDP()}, Target: iptables.Jump(iptables.ChainOutputDNS)})
	rs.Append(iptables.Raw, iptables.ChainOutputDNS, iptables.Rule{Match: []iptables.Match{iptables.UDP()}, Target: iptables.Zone{ID: 1}})
	return rs
}

// joined joins two rule sets into one.
func joined(a, b func(iptables.Family) iptables.Ruleset) func(iptables.Family) iptables.Ruleset {
	return func(f iptables.Family) iptables.Ruleset {
		rs := a(f)
		rs.Chains = append(rs.Chains, b(f).Chains...)
		return rs
	}
}

func TestAnApplyErrorHoldsItsCauseAndWhatWentWrongAfterwards(t *testing.T) {
	later := errors.New("later")
	undone := &xtables.ApplyError{Cause: errInjected}
	if got := undone.Unwrap(); len(got) != 1 || !errors.Is(got[0], errInjected) {
		t.Errorf("undone: it holds %v, want the cause alone", got)
	}
	stuck := &xtables.ApplyError{Cause: errInjected, Undo: later}
	if got := stuck.Unwrap(); len(got) != 2 || !errors.Is(got[0], errInjected) || !errors.Is(got[1], later) {
		t.Errorf("not undone: it holds %v, want both", got)
	}
}
