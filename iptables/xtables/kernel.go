package xtables

import (
	"context"

	"github.com/sluicemesh/sluice/iptables"
)

// Kernel is what Apply and Check need: a place where rules stand.
type Kernel interface {
	// Read returns everything that stands in a family, ours and others'. It
	// creates nothing.
	Read(ctx context.Context, f iptables.Family) (iptables.Ruleset, error)
	// Restore carries out a script, committing table by table: a bad line
	// loses its whole table and those behind it, earlier tables stay.
	Restore(ctx context.Context, f iptables.Family, script iptables.Script) error
}

// Report says what Apply did.
type Report struct {
	// Changes has one entry for each family that was written, in order.
	Changes []Change
	// Attempts counts the rounds of writing: 0 if nothing had to be written, 1
	// normally, more if someone else edited the rules meanwhile.
	Attempts int
}

// Change is what was written in one family.
type Change struct {
	Family iptables.Family
	Tables []iptables.Table // in the order in which they were committed
	Lines  int              // chains declared and destroyed, rules deleted and appended
}

func changeOf(s iptables.Script) Change {
	c := Change{Family: s.Family, Lines: s.Lines()}
	for _, t := range s.Tables {
		c.Tables = append(c.Tables, t.Table)
	}
	return c
}
