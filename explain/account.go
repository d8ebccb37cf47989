package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// account tells one walk.
type account struct {
	*examiner
	out   iptables.Outcome
	steps []iptables.Step
}

func (w account) way() Way {
	way := Way{Fate: w.fate(), Port: int(w.out.Port), Mark: w.out.Mark, Zone: w.out.Zone, Deciding: w.deciding(), Steps: w.tell()}
	if w.out.Port != 0 {
		way.Role = w.roles[w.out.Port]
	}
	if way.Deciding >= 0 {
		way.Setting = w.setting(way.Deciding)
	}
	way.Verdict = w.sentence(way)
	way.Because = w.because(way)
	way.Change = w.change(way)
	way.Notes = w.notes(way)
	return way
}

func (w account) fate() string {
	switch w.out.Fate {
	case iptables.Passed:
		return Direct
	case iptables.Redirected:
		return Redirected
	case iptables.TProxied:
		return TProxied
	case iptables.Dropped:
		return Dropped
	}
	return Unknown
}

// tell turns the walk's steps into the answer's.
func (w account) tell() []Step {
	steps := make([]Step, len(w.steps))
	hook := ""
	for i, s := range w.steps {
		if s.Depth == 0 {
			hook = s.Chain
		}
		steps[i] = Step{
			Path: s.Path.String(), Table: string(s.Table), Hook: hook, Chain: s.Chain, Depth: s.Depth, Number: s.Number,
			Rule: ruleText(s.Rule), Matched: s.Answer == iptables.Yes, Setting: settingOf(s), Packets: s.Rule.Count.Packets,
		}
		switch s.Answer {
		case iptables.No:
			steps[i].WhyNot = reason(s.Because, s.Packet)
		case iptables.Maybe:
			text, _ := condition(s.Because)
			steps[i].WhyNot = "not known: " + text
		}
	}
	return steps
}

// ruleText is the rule as its dump printed it, or canonical.
func ruleText(r iptables.Rule) string {
	if r.Raw != "" {
		return r.Raw
	}
	return r.String()
}

// deciding finds the rule that decided: the capture, the drop, or of a
// connection that is left alone the last rule that let it go where it could
// have been captured.
func (w account) deciding() int {
	if w.out.Fate != iptables.Passed {
		return w.index(w.out.Stop)
	}
	best := -1
	for i, s := range w.steps {
		if s.Answer != iptables.Yes || s.Table != iptables.Nat && s.Table != iptables.Mangle {
			continue
		}
		if s.Chain == iptables.Postrouting || w.start.path == iptables.Leaving && s.Path == iptables.Arriving && mentions(s.Rule, isInInterface) {
			continue // too late, or only noting that the connection was decided when it left
		}
		if v, ok := s.Rule.Target.(iptables.Verdict); ok && (v == iptables.VerdictReturn || v == iptables.VerdictAccept) {
			best = i
		}
	}
	return best
}

func (w account) index(stop iptables.Step) int {
	for i := len(w.steps) - 1; i >= 0; i-- {
		s := w.steps[i]
		if s.Number == stop.Number && s.Chain == stop.Chain && s.Table == stop.Table && s.Path == stop.Path && s.Answer != iptables.No {
			return i
		}
	}
	return -1
}

// cause is the rule whose conditions chose the capture: a REDIRECT alone in its
// chain says less than the jump to that chain.
func (w account) cause(i int) iptables.Step {
	s := w.steps[i]
	if w.out.Fate != iptables.Redirected && w.out.Fate != iptables.TProxied {
		return s
	}
	for s.Depth > 1 && iptables.Own(s.Table, s.Chain) {
		i = w.jumpTo(i)
		if i < 0 {
			return s
		}
		s = w.steps[i]
		if settingOf(s) != "" {
			return s
		}
	}
	return s
}

// jumpTo is the step that jumped to the chain of step i.
func (w account) jumpTo(i int) int {
	for j := i - 1; j >= 0; j-- {
		if s := w.steps[j]; s.Depth == w.steps[i].Depth-1 && s.Answer == iptables.Yes && s.Rule.JumpChain() == w.steps[i].Chain {
			return j
		}
	}
	return -1
}

func (w account) setting(i int) string { return settingOf(w.cause(i)) }

// because names the rule that decided.
func (w account) because(way Way) string {
	switch {
	case w.out.Fate == iptables.Unknown && w.out.Stop.Because != nil:
		text, _ := condition(w.out.Stop.Because)
		return "too many conditions are not known; " + text + " is one more"
	case w.out.Fate == iptables.Unknown:
		return "the rule does what sluice does not model: " + ruleText(w.out.Stop.Rule)
	case way.Deciding < 0 && w.out.Fate == iptables.Dropped:
		return fmt.Sprintf("the policy of %s %s is DROP", w.out.Stop.Table, w.out.Stop.Chain)
	case way.Deciding < 0:
		return w.noRule()
	}
	s := w.cause(way.Deciding)
	place := fmt.Sprintf("rule %d of %s %s decides: %s", s.Number, s.Table, s.Chain, ruleText(s.Rule))
	if d := w.steps[way.Deciding]; w.out.Fate == iptables.Dropped && d.Path != w.start.path {
		place += " (met when the connection comes back by lo)"
	}
	return place
}

func (w account) noRule() string {
	if len(w.steps) == 0 {
		return "there are no rules on its way"
	}
	if !slices.ContainsFunc(w.steps, func(s iptables.Step) bool { return s.Answer == iptables.Yes }) {
		return "no rule on its way matches"
	}
	return "no rule captures it: none of the included ports and addresses is its own"
}

// words say who connects where.
func (f first) words() string {
	p := f.packet
	who := "a client outside"
	if f.virtual {
		who = "a virtual machine inside the pod"
	}
	switch f.question.Who {
	case App:
		who = fmt.Sprintf("the application (uid %d, gid %d)", p.Owner.UID, p.Owner.GID)
	case Proxy:
		who = fmt.Sprintf("the proxy (uid %d, gid %d)", p.Owner.UID, p.Owner.GID)
	case Somebody:
		who = fmt.Sprintf("uid %d, gid %d", p.Owner.UID, p.Owner.GID)
	case Outside:
		who += " (" + p.Src.String() + ")"
	}
	way := ", leaving by " + p.Out
	if f.path == iptables.Arriving {
		way = ", arriving by " + p.In
	}
	return strings.ToUpper(iptables.ProtocolName(p.Protocol)) + " from " + who + " to " + target(p) + way
}
