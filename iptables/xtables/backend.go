package xtables

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Backend is one flavour's programs. Make it with Detect. Its methods act on
// the network namespace of the calling thread.
type Backend struct {
	Flavour Flavour
	tools   map[iptables.Family]pair
	// seen is what Look had to read anyway; the first Read takes it from here.
	seen map[iptables.Family]iptables.Ruleset
}

// String is the backend's name as the user chooses it: "iptables-nft".
func (b Backend) String() string { return "iptables-" + string(b.Flavour) }

// Has says whether the programs of a family are installed. For IPv6 their
// absence is a fact on which the caller decides.
func (b Backend) Has(f iptables.Family) bool { _, ok := b.tools[f]; return ok }

// Families lists the families whose programs are installed.
func (b Backend) Families() []iptables.Family {
	var fs []iptables.Family
	for _, f := range iptables.Families() {
		if b.Has(f) {
			fs = append(fs, f)
		}
	}
	return fs
}

// Read returns all rules of a family that this flavour knows. Where the kernel
// holds no rule or chain of this flavour no program is run, and no table is
// created. The first Read of a family may return what Look read, so keep the
// lock from Look on.
func (b Backend) Read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	if rs, ok := b.seen[f]; ok {
		delete(b.seen, f)
		return rs, nil
	}
	s := ask(ctx, b.Flavour, f)[0]
	if s.Err != nil {
		return iptables.Ruleset{Family: f}, s.Err
	}
	if len(s.Tables) == 0 || s.empty() {
		return iptables.Ruleset{Family: f}, nil
	}
	p, err := b.programs(f, "read")
	if err != nil {
		return iptables.Ruleset{Family: f}, err
	}
	return read(ctx, p.save, f)
}

// Restore carries out a script, which commits table by table.
func (b Backend) Restore(ctx context.Context, f iptables.Family, script iptables.Script) error {
	p, err := b.programs(f, "write")
	if err != nil {
		return err
	}
	args := []string{"-w", lockWaitSeconds, "--noflush"}
	_, err = run(ctx, call{op: "write " + f.String() + " rules", argv: append(p.restore.Argv[:len(p.restore.Argv):len(p.restore.Argv)], args...), stdin: script.String()})
	return b.explain(err)
}

// ReadCounted is Read with the counters of each rule.
func (b Backend) ReadCounted(ctx context.Context, f iptables.Family) (iptables.Ruleset, error) {
	if p, ok := b.tools[f]; ok {
		b.tools = map[iptables.Family]pair{f: {save: p.save.with("-c"), restore: p.restore}}
	}
	b.seen = nil
	return b.Read(ctx, f)
}

// lockWaitSeconds bounds the wait for the lock of versions that do not know
// XTABLES_LOCKFILE; see lockFile.
const lockWaitSeconds = "5"

func (b Backend) programs(f iptables.Family, verb string) (pair, error) {
	p, ok := b.tools[f]
	if ok {
		return p, nil
	}
	return p, &Error{
		Kind: Unusable, Op: verb + " " + f.String() + " rules",
		Words: fmt.Sprintf("no %s-save and %s-restore of flavour %s", command(f), command(f), b.Flavour),
		Hint:  "install iptables with its " + command(f) + " programs",
	}
}

// explain adds what the flavour knows about a failure.
func (b Backend) explain(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Kind != Unusable || b.Flavour != Legacy || !lacksNetRaw() {
		return err
	}
	e.Kind, e.Hint = Capability, "iptables-legacy opens a raw socket: add NET_RAW, or use iptables-nft, which does without"
	return e
}

// read runs a save program and parses what it prints.
func read(ctx context.Context, save Tool, f iptables.Family) (iptables.Ruleset, error) {
	c := call{op: "read " + f.String() + " rules", argv: save.Argv}
	out, err := run(ctx, c)
	if err != nil {
		return iptables.Ruleset{Family: f}, err
	}
	if line := incompatible(out); line != "" {
		return iptables.Ruleset{Family: f}, &Error{
			Kind: Unusable, Op: c.op, Argv: c.argv, Words: line,
			Hint: "someone wrote rules into this table that iptables cannot show: nft list ruleset",
		}
	}
	rs, err := iptables.Parse(f, out)
	if err != nil {
		return rs, &Error{Op: c.op, Argv: c.argv, Err: err, Hint: "this is no iptables-save output: is the program what its name says?"}
	}
	return rs, nil
}

// incompatible finds the remark by which iptables-nft-save says that it leaves
// out a whole table.
func incompatible(dump string) string {
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, "# Table `") && strings.Contains(line, "is incompatible") {
			return strings.TrimSpace(strings.TrimPrefix(line, "# "))
		}
	}
	return ""
}
