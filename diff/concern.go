package diff

import (
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/internal/align"
	"github.com/sluicemesh/sluice/iptables"
)

// concern is a set of packets outside of which two rule sets surely agree: those
// that a rule may match which stands on one side only. A packet that meets no
// such rule takes the same steps on both sides. Comparing only the packets of
// concern makes a small change of ten thousand rules a small question.
func concern(s *space, was, now iptables.Ruleset) bdd.Ref {
	g := guesser{walk: newWalk(s, iptables.Ruleset{}, nil)}
	g.look(was)
	g.look(now)
	set := bdd.Nothing
	for _, t := range iptables.Tables() {
		a, b := chainsOf(was, t), chainsOf(now, t)
		reachA, reachB := reach(a), reach(b)
		for _, name := range names(a, b) {
			paths := reachA[name] | reachB[name]
			x, y := a[name], b[name]
			if drops(x) != drops(y) && paths != 0 {
				set = s.Or(set, g.on(paths, iptables.Rule{}))
			}
			for _, r := range onOneSide(lines(x, a), lines(y, b)) {
				set = s.Or(set, g.on(paths, r))
			}
		}
	}
	return s.And(set, s.feasible)
}

func drops(c iptables.Chain) bool { return c.Policy == iptables.VerdictDrop }

func chainsOf(rs iptables.Ruleset, t iptables.Table) map[string]iptables.Chain {
	chains := map[string]iptables.Chain{}
	for _, c := range rs.Chains {
		if _, twice := chains[c.Name]; c.Table == t && !twice {
			chains[c.Name] = c
		}
	}
	return chains
}

func names(sides ...map[string]iptables.Chain) []string {
	var list []string
	seen := map[string]bool{}
	for _, chains := range sides {
		for name := range chains {
			if !seen[name] {
				seen[name] = true
				list = append(list, name)
			}
		}
	}
	slices.Sort(list)
	return list
}

// line is a rule with its identity: its text, and whether its jump has a target.
type line struct {
	rule iptables.Rule
	text string
}

func lines(c iptables.Chain, chains map[string]iptables.Chain) []line {
	var list []line
	for _, r := range c.Rules {
		if looksOnly(r.Target) {
			continue
		}
		r.Comment = ""
		text := r.String()
		if to := r.JumpChain(); to != "" && chains[to].Name == "" {
			text += " (missing)"
		}
		list = append(list, line{r, text})
	}
	return list
}

func looksOnly(t iptables.Target) bool {
	switch t := t.(type) {
	case nil, iptables.Log:
		return true
	case iptables.OpaqueTarget:
		return t.Kind() == iptables.Passive
	}
	return false
}

// onOneSide are the rules of both lists that are not in a common subsequence.
func onOneSide(a, b []line) []iptables.Rule {
	var rules []iptables.Rule
	for _, p := range align.Lists(len(a), len(b), func(i, j int) bool { return a[i].text == b[j].text }) {
		switch {
		case p.Same():
		case p.B == align.None:
			rules = append(rules, a[p.A].rule)
		default:
			rules = append(rules, b[p.B].rule)
		}
	}
	return rules
}

// ways by which packets come to a chain.
const (
	fromOutside = 1 << iota // through PREROUTING or INPUT
	fromInside              // through OUTPUT or POSTROUTING
)

// reach is how packets can come to each chain of a table.
func reach(chains map[string]iptables.Chain) map[string]int {
	ways := map[string]int{}
	for hook, way := range map[string]int{
		iptables.Prerouting: fromOutside, iptables.Input: fromOutside, iptables.Output: fromInside, iptables.Postrouting: fromInside,
	} {
		for queue := []string{hook}; len(queue) > 0; queue = queue[1:] {
			if ways[queue[0]]&way != 0 {
				continue
			}
			ways[queue[0]] |= way
			for _, r := range chains[queue[0]].Rules {
				if to := r.JumpChain(); to != "" {
					queue = append(queue, to)
				}
			}
		}
	}
	return ways
}

// guesser judges rules without knowing what has happened to packets before.
type guesser struct {
	*walk
	ports     []iptables.Port // to which something is redirected
	untracked bool            // something is kept out of conntrack
}

func (g *guesser) look(rs iptables.Ruleset) {
	for _, c := range rs.Chains {
		for i := range c.Rules {
			switch t := c.Rules[i].Target.(type) {
			case iptables.Redirect:
				g.ports = append(g.ports, t.Port)
			case iptables.OpaqueTarget:
				g.untracked = g.untracked || t.Kind() == iptables.Untracks
			}
		}
	}
	slices.Sort(g.ports)
	g.ports = slices.Compact(g.ports)
}

// on is the packets that a rule may match when they come to it by some ways.
func (g *guesser) on(ways int, r iptables.Rule) bdd.Ref {
	leaving, set := g.Var(g.fields[dimPath].first), bdd.Nothing
	if ways&fromOutside != 0 {
		arrives := flow{path: iptables.Arriving, in: device{own: true}}
		again := flow{path: iptables.Arriving, again: true, in: device{name: "lo"}}
		set = g.Or(g.Minus(g.may(r, arrives), leaving), g.And(g.may(r, again), leaving))
	}
	if ways&fromInside != 0 {
		leaves := flow{path: iptables.Leaving, out: device{own: true}}
		captured := flow{path: iptables.Leaving, out: device{name: "lo"}}
		set = g.Or(set, g.And(leaving, g.Or(g.may(r, leaves), g.may(r, captured))))
	}
	return set
}

// may is the packets of a flow that a rule may match.
func (g *guesser) may(r iptables.Rule, f flow) bdd.Ref {
	g.flow = f
	set := bdd.Everything
	for i := len(r.Match) - 1; i >= 0; i-- {
		if !g.changing(r.Match[i]) {
			set = g.And(set, g.holds(r.Match[i]))
		}
	}
	return set
}

// changing says whether a condition may hold by what has happened to a packet
// on its way, and not by what it was at first.
func (g *guesser) changing(m iptables.Match) bool {
	switch m := m.(type) {
	case iptables.PacketMark, iptables.ConnMark, iptables.Opaque:
		return true
	case iptables.ConnState, iptables.ConnDirection:
		return g.untracked
	case iptables.InSet:
		return m.Elements == nil || m.Side == iptables.DstSide && len(g.ports) > 0
	case iptables.Destination:
		return len(g.ports) > 0 && m.Prefix.Contains(iptables.Loopback(g.family)) != m.Not
	case iptables.DestinationPort:
		return g.redirected(func(p iptables.Port) bool { return m.Range.Contains(p) != m.Not })
	case iptables.PortInSet:
		return m.Ranges == nil || g.changing(iptables.MultiPort{Side: m.Side, Not: m.Not, Ranges: m.Ranges})
	case iptables.MultiPort:
		if m.Side == iptables.SrcSide {
			return false
		}
		return m.Side == iptables.Either || g.redirected(func(p iptables.Port) bool {
			return slices.ContainsFunc(m.Ranges, func(r iptables.PortRange) bool { return r.Contains(p) }) != m.Not
		})
	}
	return false
}

func (g *guesser) redirected(is func(iptables.Port) bool) bool {
	return slices.ContainsFunc(g.ports, is)
}
