// Package iptablestest is netfilter in memory, for tests of what programs
// rules: it commits table by table as iptables-restore does, refuses what the
// kernel refuses, fails at the step a test asks for, lets a test edit the rules
// between two steps, and counts. A differential test holds it against the real
// kernel (iptables/xtables).
//
// It knows what a Script can say: declare and empty chains, delete, append,
// destroy. Extensions, kernel modules and loops of jumps are not modelled.
package iptablestest

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Kernel is the rules of one network namespace. The zero value has none. It is
// not safe for concurrent use.
type Kernel struct {
	families map[iptables.Family]*iptables.Ruleset
	// Before, if not nil, is called before every step. An error is the step's
	// result, and the step has no effect. It may edit the rules: see Edit.
	Before func(Step) error
	// Steps holds every step that was taken, in order.
	Steps []Step
}

// Step is one thing that a program asked of the kernel.
type Step struct {
	Op     Op
	Family iptables.Family
	Table  iptables.Table // of a Commit
	Number int            // from 1, over all families and operations
}

// Op is the kind of a step.
type Op string

// The kinds. A restore takes a Commit step for each of its tables.
const (
	Read   Op = "read"
	Commit Op = "commit"
)

// String is "3: commit IPv4 nat".
func (s Step) String() string {
	return fmt.Sprintf("%d: %s %s %s", s.Number, s.Op, s.Family, s.Table)
}

// FailAt is a Before that fails the n-th step, from 1, and no other.
func FailAt(n int, err error) func(Step) error {
	return func(s Step) error {
		if s.Number == n {
			return err
		}
		return nil
	}
}

// FailFrom is a Before that fails the n-th step and all behind it, as a killed
// program would see it.
func FailFrom(n int, err error) func(Step) error {
	return func(s Step) error {
		if s.Number >= n {
			return err
		}
		return nil
	}
}

// Load replaces the rules of a family by a dump, as iptables-save prints it.
func (k *Kernel) Load(f iptables.Family, dump string) error {
	rs, err := iptables.Parse(f, dump)
	if err == nil {
		*k.family(f) = rs
	}
	return err
}

// Dump returns a copy of what stands in a family. It is no step.
func (k *Kernel) Dump(f iptables.Family) iptables.Ruleset { return clone(*k.family(f)) }

// Count is the number of steps of a kind.
func (k *Kernel) Count(op Op) int {
	n := 0
	for _, s := range k.Steps {
		if s.Op == op {
			n++
		}
	}
	return n
}

// Read returns everything that stands in a family. It creates nothing.
func (k *Kernel) Read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	if err := k.step(ctx, Step{Op: Read, Family: f}); err != nil {
		return iptables.Ruleset{Family: f}, err
	}
	return k.Dump(f), nil
}

// Restore commits a script table by table. The table in which a line fails
// stays as it was, and so do those behind it.
func (k *Kernel) Restore(ctx context.Context, f iptables.Family, script iptables.Script) error {
	for _, t := range script.Tables {
		if err := k.step(ctx, Step{Op: Commit, Family: f, Table: t.Table}); err != nil {
			return err
		}
		if err := k.Edit(f, t); err != nil {
			return err
		}
	}
	return nil
}

// Edit commits one table at once, whole or not at all, as someone else would. It is no step.
func (k *Kernel) Edit(f iptables.Family, t iptables.TableScript) error {
	work := table{rules: clone(*k.family(f)), name: t.Table}
	work.create()
	for _, group := range [][]string{t.Declare, t.Delete, t.Append, t.Destroy} {
		for _, line := range group {
			if err := work.line(line); err != nil {
				return fmt.Errorf("%s table %s: %q: %w", f, t.Table, line, err)
			}
		}
	}
	*k.family(f) = work.rules
	return nil
}

func (k *Kernel) step(ctx context.Context, s Step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.Number = len(k.Steps) + 1
	k.Steps = append(k.Steps, s)
	if k.Before == nil {
		return nil
	}
	return k.Before(s)
}

func (k *Kernel) family(f iptables.Family) *iptables.Ruleset {
	if k.families == nil {
		k.families = map[iptables.Family]*iptables.Ruleset{}
	}
	if k.families[f] == nil {
		k.families[f] = &iptables.Ruleset{Family: f}
	}
	return k.families[f]
}

func clone(rs iptables.Ruleset) iptables.Ruleset {
	rs.Chains = slices.Clone(rs.Chains)
	for i := range rs.Chains {
		rs.Chains[i].Rules = slices.Clone(rs.Chains[i].Rules)
	}
	return rs
}
