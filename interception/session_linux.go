package interception

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// session is one run in a namespace: what it found and what it wants.
type session struct {
	conn   plumber
	facts  netns.Facts
	have   netns.Plumbing
	want   Want
	chosen choice
	report Report
	opts   Options
}

// plumber makes and removes what marks need: a *netns.Conn.
type plumber interface {
	Apply(ctx context.Context, have netns.Plumbing, changes []netns.Change) error
	Ensure(ctx context.Context, want netns.Plumbing) ([]netns.Change, error)
}

// decide fixes what this run wants, and in which backend.
func (s *session) decide(c builder.Config, ch chooser) error {
	families, remarks, err := Families(c.Families, s.facts)
	if err != nil {
		return err
	}
	ch.needsIPv6 = slices.Contains(families, iptables.V6)
	if s.chosen, err = ch.choose(c.Backend); err != nil {
		return err
	}
	families, more, err := s.programmable(c, families)
	if err != nil {
		return err
	}
	s.want = WantOf(c, families...)
	if !s.facts.LoHasIPv6() {
		s.want.Plumbing.Addrs = nil
	}
	s.report = Report{Backend: s.chosen.name(), Why: s.chosen.why, Families: families, Remarks: append(remarks, more...)}
	return nil
}

// check lists what differs from what is wanted.
func (s *session) check(ctx context.Context) ([]string, error) {
	diffs, err := s.chosen.check(ctx, s.programmedWants())
	if err != nil {
		return nil, err
	}
	for _, change := range netns.Reconcile(s.have, s.want.Plumbing) {
		diffs = append(diffs, change.Drift())
	}
	more, err := s.leftovers(ctx)
	return append(diffs, more...), err
}

// leftovers are rules of ours in other backends than the chosen one.
func (s *session) leftovers(ctx context.Context) ([]string, error) {
	var found []string
	for _, other := range s.chosen.others {
		rules, err := other.check(ctx, nothing())
		if err != nil {
			return found, err
		}
		if len(rules) > 0 {
			found = append(found, "unwanted: rules of ours in "+other.name()+" beside "+s.chosen.name())
		}
	}
	return found, nil
}

// programmable drops IPv6 where the backend cannot program it and nothing is
// lost, and refuses where something is.
func (s *session) programmable(c builder.Config, families []iptables.Family) ([]iptables.Family, []Remark, error) {
	var can []iptables.Family
	var remarks []Remark
	for _, f := range families {
		if f == iptables.V6 && !s.chosen.programs(f) {
			remark, err := withoutIPv6(c.Families, s.facts, "no ip6tables for "+s.chosen.name()+" here")
			if err != nil {
				return nil, nil, err
			}
			remarks = append(remarks, remark)
			continue
		}
		can = append(can, f)
	}
	return can, remarks, nil
}

// apply adds the plumbing, replaces the rules, and removes what is left over
// of other backends and other plumbing, in that order. If a step fails, those
// before it are undone.
func (s *session) apply(ctx context.Context) ([]string, error) {
	add, remove := split(netns.Reconcile(s.have, s.want.Plumbing))
	before, err := s.before(ctx, remove)
	if err != nil {
		return nil, err
	}
	if err := s.conn.Apply(ctx, s.have, add); err != nil {
		return nil, err
	}
	for _, rs := range s.want.Rules {
		s.opts.debug("%s rules wanted:\n%s", rs.Family, rendered(rs))
	}
	changed, err := s.chosen.apply(ctx, s.programmedWants())
	if err != nil {
		return nil, errors.Join(err, s.undo(ctx, nil))
	}
	more, err := s.removeLeftovers(ctx, remove)
	if err != nil {
		return nil, errors.Join(err, s.undo(ctx, before))
	}
	return append(lines(add), append(changed, more...)...), nil
}

// stand is what one backend held before.
type stand struct {
	backend
	rules []iptables.Ruleset
}

// before reads the rules of ours in every backend that this run touches, if
// steps follow whose failure would have to bring them back. The chosen backend
// comes last: see undo.
func (s *session) before(ctx context.Context, remove []netns.Change) ([]stand, error) {
	if len(s.chosen.others)+len(remove) == 0 {
		return nil, nil
	}
	var before []stand
	for _, b := range append(slices.Clone(s.chosen.others), s.chosen.backend) {
		st := stand{backend: b}
		for _, f := range iptables.Families() {
			if !b.programs(f) {
				continue
			}
			rules, err := b.read(ctx, f)
			if err != nil {
				return nil, err
			}
			own := rules.Own()
			own.Family = f
			st.rules = append(st.rules, own)
		}
		before = append(before, st)
	}
	return before, nil
}

// removeLeftovers removes rules of ours in other backends, then plumbing that
// nothing needs any more.
func (s *session) removeLeftovers(ctx context.Context, remove []netns.Change) ([]string, error) {
	var changed []string
	for _, other := range s.chosen.others {
		more, err := other.apply(ctx, nothing())
		if err != nil {
			return nil, fmt.Errorf("remove the old rules in %s: %w", other.name(), err)
		}
		changed = append(changed, more...)
	}
	return append(changed, lines(remove)...), s.conn.Apply(ctx, s.have, remove)
}

// programmedWants leaves out an unprogrammed family for which the backend has
// no program that could even look.
func (s *session) programmedWants() []iptables.Ruleset {
	var wants []iptables.Ruleset
	for _, w := range s.want.Rules {
		if !w.Empty() || s.chosen.programs(w.Family) {
			wants = append(wants, w)
		}
	}
	return wants
}

// undo puts back what the backends held, and the plumbing. The chosen backend's
// new rules go last, and stay if the old ones elsewhere cannot be had back:
// without either, everything would pass.
func (s *session) undo(ctx context.Context, before []stand) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockWait)
	defer cancel()
	var rules error
	for _, st := range before {
		if _, rules = st.apply(ctx, st.rules); rules != nil {
			break
		}
	}
	_, plumbing := s.conn.Ensure(ctx, s.have)
	if err := errors.Join(rules, plumbing); err != nil {
		return fmt.Errorf("and what was there before could not be put back: %w", err)
	}
	return nil
}

// split separates what is added from what goes. Reconcile lists the additions first.
func split(changes []netns.Change) (add, remove []netns.Change) {
	for _, c := range changes {
		if c.Verb == netns.Add {
			add = append(add, c)
		} else {
			remove = append(remove, c)
		}
	}
	return add, remove
}

func lines(changes []netns.Change) []string {
	var list []string
	for _, c := range changes {
		list = append(list, c.String())
	}
	return list
}

// nothing is the wish for no rules in any family.
func nothing() []iptables.Ruleset {
	var wants []iptables.Ruleset
	for _, f := range iptables.Families() {
		wants = append(wants, iptables.Ruleset{Family: f})
	}
	return wants
}
