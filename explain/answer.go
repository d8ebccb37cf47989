package explain

import (
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Answer is what happens to a connection of one family.
type Answer struct {
	Connection string `json:"connection"` // in words
	Family     string `json:"family"`     // IPv4 or IPv6
	Rules      string `json:"rules"`      // where the rules are from
	// Verdict is the answer in one sentence.
	Verdict string `json:"verdict"`
	// Assumptions are what the question left open.
	Assumptions []string `json:"assumptions,omitempty"`
	// Ways has one element, or one for each way that a condition which is not
	// modelled can turn out.
	Ways []Way `json:"ways,omitempty"`
}

// The fates of a connection, in a word.
const (
	Direct     = "direct"     // left alone
	Redirected = "redirected" // to a local port
	TProxied   = "tproxied"   // to a local port, both addresses unchanged
	Dropped    = "dropped"
	Unknown    = "unknown"
)

// Way is one walk through the rules.
type Way struct {
	// Supposed are the conditions that are not modelled, and how they turned out.
	Supposed []Supposition `json:"supposed,omitempty"`
	Verdict  string        `json:"verdict"`
	Fate     string        `json:"fate"`
	Port     int           `json:"port,omitempty"` // where it was captured to
	Role     Role          `json:"role,omitempty"` // of the port
	Mark     uint32        `json:"mark,omitempty"` // of the packet at its end
	Zone     uint16        `json:"zone,omitempty"` // of its connection
	Because  string        `json:"because"`
	// Deciding is the index into Steps of the rule that decided; -1 for none.
	Deciding int      `json:"deciding"`
	Setting  string   `json:"setting,omitempty"` // flag of the setting behind it
	Change   string   `json:"change,omitempty"`  // what to change if this was not wanted
	Notes    []string `json:"notes,omitempty"`   // what the rules cannot show
	Steps    []Step   `json:"steps"`
}

// Supposition is a condition that is not modelled, and how it is taken.
type Supposition struct {
	Condition string `json:"condition"`
	Holds     bool   `json:"holds"`
}

// Step is one rule on the way.
type Step struct {
	Path    string `json:"path"` // leaving or arriving
	Table   string `json:"table"`
	Hook    string `json:"hook"` // the built-in chain it was reached from
	Chain   string `json:"chain"`
	Depth   int    `json:"depth"` // jumps from the built-in chain
	Number  int    `json:"number"`
	Rule    string `json:"rule"`
	Matched bool   `json:"matched"`
	WhyNot  string `json:"whyNot,omitempty"`
	Setting string `json:"setting,omitempty"`
	Packets uint64 `json:"packets,omitempty"` // counted by the kernel
}

// most unmodelled conditions that a walk forks on: sixteen ways at most.
const mostForks = 4

// Ask answers a question: one answer for each family it concerns.
func Ask(s Subject, q Question) []Answer {
	families := s.families()
	if q.To.Addr().IsValid() {
		families = []iptables.Family{iptables.FamilyOf(q.To.Addr())}
	} else if q.Source.IsValid() {
		families = []iptables.Family{iptables.FamilyOf(q.Source)}
	}
	answers := make([]Answer, 0, len(families))
	for _, f := range families {
		answers = append(answers, ask(s, q, f))
	}
	return answers
}

func ask(s Subject, q Question, f iptables.Family) Answer {
	rs, known := s.of(f)
	rs.Family = f
	start := newFirst(q, s, rs)
	a := Answer{Connection: start.words(), Family: f.String(), Rules: s.Origin, Assumptions: start.assumed}
	if !known {
		a.Verdict = "Not known: " + s.Origin + " holds no rules for " + f.String() + ", and says nothing about it."
		return a
	}
	e := examiner{subject: s, start: start, tracer: rs.Tracer(), roles: Roles(rs, s.Config)}
	e.tracer.Local = transparent(rs)
	e.fork(nil)
	a.Ways = e.ways
	a.Verdict = e.verdict()
	return a
}

// examiner walks a connection through rules, forking where it must.
type examiner struct {
	subject Subject
	start   first
	tracer  *iptables.Tracer
	roles   map[iptables.Port]Role
	ways    []Way
}

// fork walks with what is supposed so far, and where an unmodelled condition
// stands in the way, once supposing that it holds and once that it does not.
func (e *examiner) fork(supposed []Supposition) {
	way, blocked := e.walk(supposed)
	if blocked == "" || len(supposed) >= mostForks {
		e.ways = append(e.ways, way)
		return
	}
	for _, holds := range []bool{true, false} {
		e.fork(append(slices.Clone(supposed), Supposition{blocked, holds}))
	}
}

// walk goes the way once. blocked names the condition that was in the way.
func (e *examiner) walk(supposed []Supposition) (way Way, blocked string) {
	var steps []iptables.Step
	e.tracer.Visit = func(s iptables.Step) { steps = append(steps, s) }
	e.tracer.Suppose = suppose(supposed)
	out := e.tracer.Follow(e.start.packet, e.start.path)
	if out.Fate == iptables.Unknown && out.Stop.Because != nil {
		blocked, _ = condition(out.Stop.Because)
	}
	w := account{examiner: e, out: out, steps: steps}
	way = w.way()
	way.Supposed = supposed
	return way, blocked
}

// suppose answers for conditions by what was supposed of them.
func suppose(supposed []Supposition) func(iptables.Match) iptables.Answer {
	return func(m iptables.Match) iptables.Answer {
		text, inverted := condition(m)
		for _, s := range supposed {
			if s.Condition == text && s.Holds != inverted {
				return iptables.Yes
			} else if s.Condition == text {
				return iptables.No
			}
		}
		return iptables.Maybe
	}
}

// condition is the text of an unmodelled condition without its "!".
func condition(m iptables.Match) (text string, inverted bool) {
	if set, ok := m.(iptables.InSet); ok {
		inverted, set.Not = set.Not, false
		m = set
	}
	if set, ok := m.(iptables.PortInSet); ok {
		inverted, set.Not = set.Not, false
		m = set
	}
	return iptables.Rule{Match: []iptables.Match{m}}.String(), inverted
}

// verdict is the one sentence over all ways.
func (e *examiner) verdict() string {
	texts := []string{e.ways[0].Verdict}
	for _, w := range e.ways[1:] {
		if !slices.Contains(texts, w.Verdict) {
			texts = append(texts, w.Verdict)
		}
	}
	switch {
	case len(e.ways) == 1:
		return texts[0]
	case len(texts) == 1:
		return texts[0] + " That holds however the conditions turn out that sluice does not know."
	}
	names := e.unknowns()
	return "It depends on " + strings.Join(names, " and ") + ", which sluice cannot evaluate: " + plural(len(texts), "outcome") + " below."
}

func (e *examiner) unknowns() []string {
	var names []string
	for _, w := range e.ways {
		for _, s := range w.Supposed {
			if name := "“" + s.Condition + "”"; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
