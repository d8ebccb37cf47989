package xtables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// maxAttempts bounds how often Apply starts over because someone else edits the
// rules at the same time.
const maxAttempts = 4

// Apply makes the namespace's rules those that are wanted, one rule set for each
// family, and verifies it by reading back; wanting a rule set without chains
// removes what is ours. Where nothing differs nothing is written. If it fails,
// everything it changed is put back as it was read; the error is an *ApplyError.
// It takes no lock: see Lock.
func Apply(ctx context.Context, k Kernel, wants []iptables.Ruleset) (Report, error) {
	for _, w := range wants {
		if err := w.Validate(); err != nil {
			return Report{}, fmt.Errorf("%s rules: %w", w.Family, err)
		}
	}
	a := applier{kernel: k, wants: wants}
	first, err := a.readAll(ctx)
	if err != nil {
		return Report{}, err
	}
	a.first = first
	if err := a.converge(ctx); err != nil {
		return a.report, a.undo(ctx, err)
	}
	return a.report, nil
}

// Check lists how the namespace differs from what is wanted, family by family,
// order included. It changes nothing. A family's differences stand under its name.
func Check(ctx context.Context, k Kernel, wants []iptables.Ruleset) ([]FamilyDifference, error) {
	var diffs []FamilyDifference
	for _, w := range wants {
		have, err := k.Read(ctx, w.Family)
		if err != nil {
			return diffs, err
		}
		for _, d := range iptables.Compare(have, w) {
			diffs = append(diffs, FamilyDifference{w.Family, d})
		}
	}
	return diffs, nil
}

// FamilyDifference is one difference and the family in which it is.
type FamilyDifference struct {
	Family iptables.Family
	iptables.Difference
}

// String is the difference behind its family.
func (d FamilyDifference) String() string { return d.Family.String() + " " + d.Difference.String() }

// applier is one Apply under way.
type applier struct {
	kernel Kernel
	wants  []iptables.Ruleset
	first  []iptables.Ruleset // as read before anything was written
	wrote  []bool             // the families to which a restore was sent
	report Report
}

func (a *applier) readAll(ctx context.Context) ([]iptables.Ruleset, error) {
	a.wrote = make([]bool, len(a.wants))
	all := make([]iptables.Ruleset, len(a.wants))
	for i, w := range a.wants {
		var err error
		if all[i], err = a.kernel.Read(ctx, w.Family); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// converge writes and reads until what stands is what is wanted. Another round
// follows only if someone else has changed something in between: when a restore
// failed and what is left to do is not what failed, or when what was written is
// not what is read back, and not in the same way as before.
func (a *applier) converge(ctx context.Context) error {
	have := slices.Clone(a.first)
	todo := plan(have, a.wants)
	for !done(todo) {
		if a.report.Attempts == maxAttempts {
			return a.contested(have)
		}
		a.report.Attempts++
		failure := a.restore(ctx, todo)
		if err := a.reread(ctx, have, todo); err != nil {
			return errors.Join(failure, err)
		}
		left := plan(have, a.wants)
		if failure != nil && deterministic(todo, left) {
			return failure
		}
		if sameText(todo, left) {
			return a.mismatch(have)
		}
		todo = left
	}
	return nil
}

// plan says what is to be done in each family.
func plan(have, want []iptables.Ruleset) []iptables.Script {
	scripts := make([]iptables.Script, len(want))
	for i := range want {
		scripts[i] = iptables.Reconcile(have[i], want[i])
	}
	return scripts
}

func done(scripts []iptables.Script) bool {
	return !slices.ContainsFunc(scripts, func(s iptables.Script) bool { return !s.Empty() })
}

// restore sends each family's script, once, up to the first failure.
func (a *applier) restore(ctx context.Context, scripts []iptables.Script) error {
	for i, s := range scripts {
		if s.Empty() {
			continue
		}
		a.wrote[i] = true
		if err := a.kernel.Restore(ctx, s.Family, s); err != nil {
			return err
		}
		a.report.Changes = append(a.report.Changes, changeOf(s))
	}
	return nil
}

// reread brings have up to date for the families that were to be written.
func (a *applier) reread(ctx context.Context, have []iptables.Ruleset, scripts []iptables.Script) error {
	for i, s := range scripts {
		if s.Empty() {
			continue
		}
		now, err := a.kernel.Read(ctx, s.Family)
		if err != nil {
			return err
		}
		have[i] = now
	}
	return nil
}

// deterministic says that a failed script would fail again: what is left to do
// is the very end of what was tried.
func deterministic(tried, left []iptables.Script) bool {
	return !done(left) && strings.HasSuffix(text(tried), text(left))
}

func sameText(a, b []iptables.Script) bool { return text(a) == text(b) }

func text(scripts []iptables.Script) string {
	var b strings.Builder
	for _, s := range scripts {
		for _, t := range s.Tables {
			fmt.Fprintf(&b, "# %s\n%s", s.Family, t)
		}
	}
	return b.String()
}

func (a *applier) mismatch(have []iptables.Ruleset) error {
	return &Error{
		Op: "verify", Words: "what was written reads back differently: " + a.differences(have),
		Hint: "this version of iptables prints the rule in another form, or something undoes it at once",
	}
}

func (a *applier) contested(have []iptables.Ruleset) error {
	return &Error{
		Kind: Busy, Op: "verify",
		Words: fmt.Sprintf("someone else changed our rules in each of %d attempts: %s", maxAttempts, a.differences(have)),
		Hint:  "find the other program that writes rules in this namespace: xtables-monitor, nft monitor",
	}
}

const shownDifferences = 3

func (a *applier) differences(have []iptables.Ruleset) string {
	var lines []string
	for i, w := range a.wants {
		for _, d := range iptables.Compare(have[i], w) {
			lines = append(lines, FamilyDifference{w.Family, d}.String())
		}
	}
	if more := len(lines) - shownDifferences; more > 0 {
		lines = append(lines[:shownDifferences], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}
