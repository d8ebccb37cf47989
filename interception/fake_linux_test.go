package interception

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

var errInjected = errors.New("injected")

// journal is what was done to the fakes, in order. The entry that is to fail
// fails, if it is made, and has no effect.
type journal struct {
	entries []string
	fails   string
}

func (j *journal) note(format string, args ...any) error {
	entry := fmt.Sprintf(format, args...)
	j.entries = append(j.entries, entry)
	if entry == j.fails {
		return errInjected
	}
	return nil
}

// fake is a backend in memory.
type fake struct {
	*journal
	label string
	only  []iptables.Family // that it programs; none is all
	holds []iptables.Ruleset
}

func (f *fake) name() string { return f.label }

func (f *fake) programs(family iptables.Family) bool {
	return len(f.only) == 0 || slices.Contains(f.only, family)
}

func (f *fake) apply(_ context.Context, wants []iptables.Ruleset) ([]string, error) {
	if err := f.note("%s apply %s", f.label, ports(wants)); err != nil {
		return nil, err
	}
	f.holds = wants
	return []string{f.label + " changed"}, nil
}

func (f *fake) check(_ context.Context, wants []iptables.Ruleset) ([]string, error) {
	err := f.note("%s check %s", f.label, ports(wants))
	if ports(f.holds) == ports(wants) {
		return nil, err
	}
	return []string{f.label + " differs"}, err
}

func (f *fake) read(_ context.Context, family iptables.Family) (iptables.Ruleset, error) {
	err := f.note("%s read %s", f.label, family)
	for _, rs := range f.holds {
		if rs.Family == family {
			rs.Family = 0 // as parsed by a careless reader
			return rs, err
		}
	}
	return iptables.Ruleset{}, err
}

// pipes is plumbing in memory.
type pipes struct{ *journal }

func (p pipes) Apply(_ context.Context, _ netns.Plumbing, changes []netns.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return p.note("plumbing: %s", strings.Join(lines(changes), "; "))
}

func (p pipes) Ensure(_ context.Context, want netns.Plumbing) ([]netns.Change, error) {
	return nil, p.note("plumbing back to %d routes", len(want.Routes))
}

// rules is a rule set of ours that captures to a port; 0 is none.
func rules(f iptables.Family, port iptables.Port) iptables.Ruleset {
	rs := iptables.Ruleset{Family: f}
	if port > 0 {
		rs.Append(iptables.Nat, iptables.ChainRedirect, iptables.Rule{Match: []iptables.Match{iptables.TCP()}, Target: iptables.Redirect{Port: port}})
	}
	return rs
}

// foreign is rules with a chain of somebody else beside ours.
func foreign(rs iptables.Ruleset) iptables.Ruleset {
	rs.Append(iptables.Nat, "OTHER", iptables.Rule{Target: iptables.Return()})
	return rs
}

// ports names rule sets by family and by the ports to which they capture:
// "IPv4:15001 IPv6:0", with + for chains that are not ours.
func ports(sets []iptables.Ruleset) string {
	var list []string
	for _, rs := range sets {
		text := rs.Family.String() + ":"
		for _, c := range rs.Chains {
			switch to, ok := c.Rules[0].Target.(iptables.Redirect); {
			case !iptables.Own(c.Table, c.Name):
				text += "+"
			case ok:
				text += fmt.Sprint(to.Port)
			}
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}
