package xtables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/iptables"
)

// undoLimit bounds the undoing, which runs although the caller's context is over.
const undoLimit = 15 * time.Second

// ApplyError is a failed Apply: the cause, and in which state the namespace was
// left. errors.As finds the *Error in it.
type ApplyError struct {
	Cause error
	// Undo is nil when everything is as it was before.
	Undo error
	// States says, if Undo is not nil, what stands where.
	States []TableState
}

// TableState says which rules a table holds after a failed undo.
type TableState struct {
	Family iptables.Family
	Table  iptables.Table
	Holds  Holding
}

// Holding is old, new, neither or unknown.
type Holding string

// What a table may hold.
const (
	Old     Holding = "old rules"
	New     Holding = "new rules"
	Neither Holding = "neither old nor new rules"
	Unread  Holding = "rules that could not be read"
)

// String is "IPv4 nat: old rules".
func (s TableState) String() string {
	return fmt.Sprintf("%s %s: %s", s.Family, s.Table, s.Holds)
}

// Error tells the cause and what was left behind.
func (e *ApplyError) Error() string {
	if e.Undo == nil {
		return e.Cause.Error() + "; the rules are as they were before"
	}
	states := make([]string, len(e.States))
	for i, s := range e.States {
		states[i] = s.String()
	}
	return fmt.Sprintf("%s; undoing it failed too: %s; left behind: %s", e.Cause, e.Undo, strings.Join(states, ", "))
}

// Unwrap returns the cause, and the failure to undo it.
func (e *ApplyError) Unwrap() []error {
	if e.Undo == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Undo}
}

// undo brings back what was read first, in every family that was written.
func (a *applier) undo(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	failed := &ApplyError{Cause: cause}
	var errs []error
	for i, w := range slices.Backward(a.wants) {
		if !a.wrote[i] {
			continue
		}
		now, err := a.undoFamily(ctx, i)
		if err != nil {
			errs = append(errs, err)
			failed.States = append(failed.States, states(a.first[i], w, now)...)
		}
	}
	failed.Undo = errors.Join(errs...)
	return failed
}

// undoFamily returns what stands in the end; nil if that could not be read.
func (a *applier) undoFamily(ctx context.Context, i int) (*iptables.Ruleset, error) {
	f, old := a.wants[i].Family, a.first[i].Own()
	now, err := a.kernel.Read(ctx, f)
	if err != nil {
		return nil, err
	}
	script := iptables.Reconcile(now, old)
	if script.Empty() {
		return &now, nil
	}
	failure := a.kernel.Restore(ctx, f, script)
	now, err = a.kernel.Read(ctx, f)
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	if iptables.Reconcile(now, old).Empty() {
		return &now, nil
	}
	if failure == nil {
		failure = &Error{Op: "verify the undoing", Words: "the old rules read back differently"}
	}
	return &now, failure
}

// states compares each table that has rules of ours, old, new or now.
func states(old, want iptables.Ruleset, now *iptables.Ruleset) []TableState {
	var out []TableState
	for _, t := range iptables.Tables() {
		was, new, holds := ofTable(old.Own(), t), ofTable(want, t), Unread
		var is iptables.Ruleset
		if now != nil {
			is = ofTable(now.Own(), t)
			holds = holding(is, was, new)
		}
		if !is.Empty() || !was.Empty() || !new.Empty() {
			out = append(out, TableState{want.Family, t, holds})
		}
	}
	return out
}

func holding(is, was, new iptables.Ruleset) Holding {
	switch {
	case len(iptables.Compare(is, was)) == 0:
		return Old
	case len(iptables.Compare(is, new)) == 0:
		return New
	}
	return Neither
}

func ofTable(rs iptables.Ruleset, t iptables.Table) iptables.Ruleset {
	var out iptables.Ruleset
	for _, c := range rs.Chains {
		if c.Table == t {
			out.Chains = append(out.Chains, c)
		}
	}
	return out
}
