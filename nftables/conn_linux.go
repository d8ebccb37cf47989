package nftables

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// Conn is a connection to the kernel's nf_tables in one network namespace: the
// one of the thread that opened it, for good, so it may be used from any thread
// later. Its methods may not be called at the same time; two Conns may, also of
// two processes: each applies to what it has read, or reads again.
type Conn struct{ nl *nfnl.Conn }

// Open opens a netlink socket in the calling thread's network namespace. What
// is done with it needs CAP_NET_ADMIN in the user namespace that owns it.
func Open() (*Conn, error) {
	nl, err := nfnl.Open()
	if err != nil {
		e := &Error{Op: "open", Err: err}
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			e.Missing = "nfnetlink: CONFIG_NETFILTER_NETLINK"
		}
		return nil, e
	}
	return &Conn{nl}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.nl.Close() }

// attempts bounds how often something is tried again because somebody else
// changed the rules meanwhile.
const attempts = 20

// Options are choices of [Conn.Apply] that do not change what the rules decide.
type Options struct {
	// Layout is the first one to try. Inet falls back to Split on a kernel that
	// has no nat in inet tables.
	Layout Layout
	// Counters has every rule count packets and bytes.
	Counters bool
}

// Report is what [Conn.Apply] or [Conn.Remove] did.
type Report struct {
	// Layout is the one that the kernel took.
	Layout Layout
	// Before is what was ours before.
	Before Tables
	// Plan is what was changed; empty if all was right already.
	Plan Plan
	// Rules is the number of rules that are there now.
	Rules int
}

// Apply makes the rules of both families be there, and reads them back. A rule
// set without chains is a family without rules. What is right already is left
// alone; the rest changes in one transaction, so that there is no moment with
// half of the rules. Errors: [*TranslateError] for rules that cannot be
// expressed, [*Error] for what the kernel refused (nothing changed then),
// [*VerifyError].
func (c *Conn) Apply(ctx context.Context, v4, v6 iptables.Ruleset, o Options) (Report, error) {
	report, err := c.apply(ctx, v4, v6, o)
	if o.Layout == Inet && noInetNat(err) {
		o.Layout = Split
		return c.apply(ctx, v4, v6, o)
	}
	return report, err
}

// noInetNat recognises Linux before 5.2.
func noInetNat(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == string(makeChain) && e.Missing != "" && errors.Is(err, unix.ENOENT)
}

func (c *Conn) apply(ctx context.Context, v4, v6 iptables.Ruleset, o Options) (Report, error) {
	want, err := Translate(o.Layout, v4, v6)
	if err != nil {
		return Report{}, err
	}
	if o.Counters {
		want = want.Counted()
	}
	report, err := c.reach(ctx, want)
	report.Layout = o.Layout
	return report, err
}

// reach changes what is there into what is wanted.
func (c *Conn) reach(ctx context.Context, want Tables) (Report, error) {
	for range attempts {
		have, err := c.read(ctx)
		if err != nil {
			return Report{}, err
		}
		report := Report{Before: have.tables, Plan: Changes(have.tables, want), Rules: want.Count()}
		if report.Plan.Empty() {
			return report, nil
		}
		err = c.commit(ctx, report.Plan, have.generation)
		if errors.Is(err, nfnl.ErrChanged) {
			continue
		}
		if err == nil {
			err = c.verify(ctx, want)
		}
		if err != nil {
			err = c.undo(ctx, have.tables, err)
		}
		return report, err
	}
	return Report{}, &Error{Op: "apply", Err: nfnl.ErrChanged}
}

// undoLimit bounds the way back, which may begin when the time is up.
const undoLimit = 5 * time.Second

// undo puts back what was read first, whatever failed: a transaction whose
// acknowledgement was lost may have been committed.
func (c *Conn) undo(ctx context.Context, before Tables, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	have, err := c.read(ctx)
	if err == nil {
		err = c.restore(ctx, have, before)
	}
	var different *VerifyError
	if errors.As(cause, &different) {
		different.Undo = err
		return different
	}
	if err != nil {
		return errors.Join(cause, fmt.Errorf("and what was there before could not be put back: %w", err))
	}
	return cause
}

func (c *Conn) commit(ctx context.Context, p Plan, generation uint32) error {
	b := encode(p)
	err := c.nl.Batch(ctx, subsystem, generation, &b.Buffer)
	if err == nil || errors.Is(err, nfnl.ErrChanged) {
		return err
	}
	return b.explain(err)
}

// verify reads back what was sent.
func (c *Conn) verify(ctx context.Context, want Tables) error {
	have, err := c.read(ctx)
	if err != nil {
		return err
	}
	if diffs := Compare(have.tables, want); len(diffs) > 0 {
		return &VerifyError{Differences: diffs}
	}
	return nil
}

func (c *Conn) restore(ctx context.Context, have snapshot, before Tables) error {
	if before.foreign() {
		return errForeign
	}
	if p := Changes(have.tables, before); !p.Empty() {
		return c.commit(ctx, p, have.generation)
	}
	return nil
}

// foreign says whether a rule is not of our making.
func (ts Tables) foreign() bool {
	for _, t := range ts {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				for _, m := range r.Match {
					if _, ok := m.(iptables.Opaque); ok {
						return true
					}
				}
			}
		}
	}
	return false
}

// Check compares what is there with what is wanted, order included; no
// difference: the same.
func (c *Conn) Check(ctx context.Context, v4, v6 iptables.Ruleset) ([]iptables.Difference, error) {
	have, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	want, err := Translate(have.layout(), v4, v6)
	if err != nil {
		return nil, err
	}
	return Compare(have, want), nil
}

// layout is the one in which tables are; Inet if there are none.
func (ts Tables) layout() Layout {
	if len(ts) > 0 && ts[0].Only != 0 {
		return Split
	}
	return Inet
}

// Present says whether anything is ours. It reads no rule.
func (c *Conn) Present(ctx context.Context) (bool, error) {
	ts, err := c.list(ctx)
	return len(ts) > 0, err
}

// Read lists what is ours, counters included; no tables if nothing is.
func (c *Conn) Read(ctx context.Context) (Tables, error) {
	have, err := c.read(ctx)
	return have.tables, err
}

// failed names the operation of an error.
func (c *Conn) failed(op string, err error) error {
	e := &Error{Op: op, Err: err}
	var refused *nfnl.Error
	if errors.As(err, &refused) {
		e.Hint = hint(refused.Errno)
		if refused.Errno == unix.EOPNOTSUPP || refused.Errno == unix.EINVAL {
			e.Missing = "nf_tables: CONFIG_NF_TABLES"
		}
	}
	return e
}
