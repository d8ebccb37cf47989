package xtables_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/iptablestest"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

// answer is what a call does instead of what it should.
type answer int

const (
	fails     answer = iota + 1 // no effect, and an error
	lies                        // no effect, and no error
	complains                   // the effect, and an error
)

// witness is the fake kernel with every call written down: "restore IPv4 nat".
type witness struct {
	*iptablestest.Kernel
	calls []string
	at    map[int]answer // by the number of the call, from 1
}

func (w *witness) Read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	switch w.call("read " + f.String()) {
	case fails, complains:
		return iptables.Ruleset{Family: f}, errInjected
	}
	return w.Kernel.Read(ctx, f)
}

func (w *witness) Restore(ctx context.Context, f iptables.Family, script iptables.Script) error {
	words := "restore " + f.String()
	for _, t := range script.Tables {
		words += " " + string(t.Table)
	}
	switch w.call(words) {
	case fails:
		return errInjected
	case lies:
		return nil
	case complains:
		return errors.Join(w.Kernel.Restore(ctx, f, script), errInjected)
	}
	return w.Kernel.Restore(ctx, f, script)
}

func (w *witness) call(words string) answer {
	w.calls = append(w.calls, words)
	return w.at[len(w.calls)]
}

// jumps is one jump in nat's OUTPUT, and so many chains behind it.
func jumps(chains int) func(iptables.Family) iptables.Ruleset {
	return func(f iptables.Family) iptables.Ruleset {
		rs := iptables.Ruleset{Family: f}
		rs.Append(iptables.Nat, iptables.Output, iptables.Rule{Target: iptables.Jump(iptables.ChainOutput)})
		for _, name := range []string{iptables.ChainOutput, iptables.ChainRedirect}[:chains] {
			rs.Append(iptables.Nat, name, iptables.Rule{Target: iptables.Return()})
		}
		return rs
	}
}

const undone = "injected; the rules are as they were before"

// What Apply asks of the kernel, call by call, and what it says in the end. At
// first REDIRECT stands in both families, and TPROXY is wanted.
func TestApplyAsksForNoMoreThanItNeedsAndStopsWhereItMust(t *testing.T) {
	reads := []string{"read IPv4", "read IPv6"}
	write4, write6 := "restore IPv4 raw mangle nat", "restore IPv6 raw mangle nat"
	back4, back6 := "restore IPv4 nat raw mangle", "restore IPv6 nat raw mangle"
	for _, c := range []struct {
		name  string
		at    map[int]answer
		calls []string // behind the first two reads
		tries int
		err   string
	}{
		{"nothing fails", nil, []string{write4, write6, "read IPv4", "read IPv6"}, 1, ""},
		{"a write fails", map[int]answer{3: fails}, []string{write4, "read IPv4", "read IPv6", "read IPv4"}, 1, undone},
		{"the last write fails though it was done", map[int]answer{4: complains}, []string{write4, write6, "read IPv4", "read IPv6"}, 1, ""},
		{"a write fails and then a read", map[int]answer{3: fails, 4: fails}, []string{write4, "read IPv4", "read IPv4"}, 1, "injected\n" + undone},
		{
			"it cannot be read back", map[int]answer{5: fails},
			[]string{write4, write6, "read IPv4", "read IPv6", back6, "read IPv6", "read IPv4", back4, "read IPv4"}, 1, undone,
		},
		{
			"the undoing has no effect", map[int]answer{5: fails, 7: lies},
			[]string{write4, write6, "read IPv4", "read IPv6", back6, "read IPv6", "read IPv4", back4, "read IPv4"}, 1,
			"injected; undoing it failed too: verify the undoing: the old rules read back differently; " +
				"left behind: IPv6 raw: new rules, IPv6 mangle: new rules, IPv6 nat: new rules",
		},
		{
			"the undoing fails", map[int]answer{5: fails, 7: fails, 10: complains},
			[]string{write4, write6, "read IPv4", "read IPv6", back6, "read IPv6", "read IPv4", back4, "read IPv4"}, 1,
			"injected; undoing it failed too: injected; " +
				"left behind: IPv6 raw: new rules, IPv6 mangle: new rules, IPv6 nat: new rules",
		},
		{
			"what is to be undone cannot be read", map[int]answer{5: fails, 6: fails},
			[]string{write4, write6, "read IPv4", "read IPv6", "read IPv4", back4, "read IPv4"}, 1,
			"injected; undoing it failed too: injected; " +
				"left behind: IPv6 raw: rules that could not be read, IPv6 mangle: rules that could not be read, IPv6 nat: rules that could not be read",
		},
		{
			"the undoing fails and then a read", map[int]answer{5: fails, 7: fails, 8: fails},
			[]string{write4, write6, "read IPv4", "read IPv6", back6, "read IPv6", "read IPv4", back4, "read IPv4"}, 1,
			"injected; undoing it failed too: injected\ninjected; " +
				"left behind: IPv6 raw: rules that could not be read, IPv6 mangle: rules that could not be read, IPv6 nat: rules that could not be read",
		},
	} {
		k := withForeign(t)
		mustApply(t, k, both(redirect))
		w := &witness{Kernel: k, at: c.at}
		r, err := xtables.Apply(context.Background(), w, both(tproxy))
		if got, want := w.calls, slices.Concat(reads, c.calls); !slices.Equal(got, want) {
			t.Errorf("%s: calls\n%q, want\n%q", c.name, got, want)
		}
		if got := words(err); got != c.err || r.Attempts != c.tries {
			t.Errorf("%s: after %d attempts\n%s\nwant after %d\n%s", c.name, r.Attempts, got, c.tries, c.err)
		}
	}
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAFamilyThatIsRightIsReadOnceAndNotWritten(t *testing.T) {
	k := &iptablestest.Kernel{}
	mustApply(t, k, []iptables.Ruleset{redirect(iptables.V4)})
	w := &witness{Kernel: k}
	r := mustApply(t, w, both(redirect))
	if got, want := w.calls, []string{"read IPv4", "read IPv6", "restore IPv6 nat", "read IPv6"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if len(r.Changes) != 1 || r.Changes[0].Family != iptables.V6 {
		t.Errorf("changes %+v, want those of IPv6 alone", r.Changes)
	}
}

func TestNothingIsWrittenWhenAFamilyCannotBeRead(t *testing.T) {
	for n, want := range [][]string{1: {"read IPv4"}, 2: {"read IPv4", "read IPv6"}} {
		w := &witness{Kernel: &iptablestest.Kernel{}, at: map[int]answer{n: fails}}
		_, err := xtables.Apply(context.Background(), w, both(redirect))
		if n > 0 && (words(err) != "injected" || !slices.Equal(w.calls, want)) {
			t.Errorf("read %d fails: %v after %q, want the error after %q", n, err, w.calls, want)
		}
	}
}

func TestCheckNamesTheFamilyOfEachDifferenceUpToTheOneThatCannotBeRead(t *testing.T) {
	k := &iptablestest.Kernel{}
	mustApply(t, k, []iptables.Ruleset{jumps(2)(iptables.V4), jumps(1)(iptables.V6)})
	w := &witness{Kernel: k}
	diffs, err := xtables.Check(context.Background(), w, []iptables.Ruleset{jumps(1)(iptables.V4), jumps(2)(iptables.V6)})
	const want = "IPv4 nat ISTIO_REDIRECT: unwanted chain; IPv6 nat ISTIO_REDIRECT: missing chain"
	if got := list(diffs); got != want || err != nil {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	w = &witness{Kernel: k, at: map[int]answer{2: fails}}
	diffs, err = xtables.Check(context.Background(), w, []iptables.Ruleset{jumps(1)(iptables.V4), jumps(1)(iptables.V6)})
	const first = "IPv4 nat ISTIO_REDIRECT: unwanted chain"
	if got := list(diffs); got != first || !errors.Is(err, errInjected) {
		t.Errorf("IPv6 cannot be read: got %s, %v; want %s and the error", got, err, first)
	}
}

func list(diffs []xtables.FamilyDifference) string {
	var lines []string
	for _, d := range diffs {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "; ")
}

// slow tells how long each call may take.
type slow struct {
	*witness
	limits []time.Duration
}

func (s *slow) Read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	limit := time.Duration(0)
	if end, ok := ctx.Deadline(); ok {
		limit = time.Until(end)
	}
	s.limits = append(s.limits, limit)
	return s.witness.Read(ctx, f)
}

func TestUndoingHasAQuarterOfAMinuteOfItsOwnThoughTheCallersTimeIsOver(t *testing.T) {
	k := withForeign(t)
	mustApply(t, k, both(redirect))
	before := dump(k)
	ctx, cancel := context.WithCancel(context.Background())
	s := &slow{witness: &witness{Kernel: k}}
	k.Steps, k.Before = nil, func(step iptablestest.Step) error {
		if step.Number == 4 { // the second table of the first write
			cancel()
		}
		return nil
	}
	_, err := xtables.Apply(ctx, s, both(tproxy))
	if got := dump(k); got != before || !errors.Is(err, context.Canceled) {
		t.Errorf("%v leaves\n%s\nwant\n%s", err, got, before)
	}
	last := s.limits[len(s.limits)-1]
	if last <= 10*time.Second || last > 15*time.Second || s.limits[0] != 0 {
		t.Errorf("limits %v, want none for the first and up to 15 seconds for the last", s.limits)
	}
}
