package builder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Input is one setting as somebody gave it.
type Input struct {
	Flag   string // the setting's long flag name
	Value  string
	Origin string // where it was given, for people: "flag -p", "environment ENVOY_PORT"
}

// Options are what the policy cannot know by itself. The zero value is a dry
// run's: no name is looked up and no file is read.
type Options struct {
	LookUpUser, LookUpGroup LookUp
	// ReadFile reads a resolv.conf that a setting names.
	ReadFile func(path string) (string, error)
	// ResolvConf is read when DNS capture needs resolvers and no setting names
	// them; "" makes that an error.
	ResolvConf string
}

// Problem is a setting that is refused.
type Problem struct {
	Flag, Origin, Value, Reason, Accepted string
}

// Error names the setting, its value, the reason and the accepted form.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s: %s=%q: %s (accepted: %s)", p.Origin, p.Flag, p.Value, p.Reason, p.Accepted)
}

// Problems are all settings that are refused, reported together.
type Problems []*Problem

// Error has one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Warning is a remark about a setting that is accepted.
type Warning struct{ Flag, Origin, Text string }

// String names the origin.
func (w Warning) String() string { return w.Origin + ": " + w.Text }

// Effective is a setting as it counts.
type Effective struct{ Flag, Value, Origin string }

// The origins of what nobody has given.
const (
	byDefault  = "default"
	asProxyUID = "default, as proxy-uid"
)

// Given says whether somebody has given the setting.
func (e Effective) Given() bool { return e.Origin != byDefault && e.Origin != asProxyUID }

// Parsed is the result of Parse.
type Parsed struct {
	Config   Config
	Warnings []Warning
	settings []Setting
	draft    draft
}

// Settings are all settings as they count, in the order of [Settings], with the
// place that each one comes from.
func (p Parsed) Settings() []Effective {
	list := make([]Effective, len(p.settings))
	for i, s := range p.settings {
		list[i] = Effective{s.Flag, s.Default, byDefault}
		if in, ok := p.draft.origins[s.Flag]; ok {
			list[i].Value, list[i].Origin = in.Value, in.Origin
		}
		if s.show != nil {
			list[i].Value = s.show(&p.draft)
		}
	}
	return list
}

// Parse reads settings, the later of two inputs for one setting winning. All
// errors are reported together, as Problems; the result is then not valid.
func Parse(inputs []Input, opts Options) (Parsed, error) {
	p := parser{settings: Settings(), draft: draft{config: Default(), opts: opts}}
	p.choose(inputs)
	for _, s := range p.settings {
		if in, ok := p.draft.origins[s.Flag]; ok {
			p.read(s, in)
		}
	}
	p.complete()
	if len(p.problems) > 0 {
		return Parsed{Warnings: p.warnings}, p.problems
	}
	return Parsed{p.draft.config, p.warnings, p.settings, p.draft}, nil
}

type parser struct {
	settings []Setting
	draft    draft
	problems Problems
	warnings []Warning
}

// choose picks the input that decides each setting.
func (p *parser) choose(inputs []Input) {
	p.draft.origins = make(map[string]Input, len(inputs))
	for _, in := range inputs {
		at := slices.IndexFunc(p.settings, func(s Setting) bool { return s.Flag == in.Flag })
		switch {
		case at < 0:
			p.refuse(in, "unknown setting", "a setting of this version")
		case strings.TrimSpace(in.Value) == "" && !p.settings[at].EmptyCounts: // not given
		default:
			p.draft.origins[in.Flag] = in
		}
	}
}

func (p *parser) read(s Setting, in Input) {
	notes, err := s.read(&p.draft, in.Value)
	for _, n := range notes {
		p.warn(in, n)
	}
	for _, e := range flatten(err) {
		var v *ValueError
		if errors.As(e, &v) {
			p.refuse(Input{in.Flag, v.Value, in.Origin}, v.Reason, v.Accepted)
			continue
		}
		p.refuse(in, e.Error(), s.Accepts)
	}
}

// flatten lists the errors that were joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range many.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

func (p *parser) refuse(in Input, reason, accepted string) {
	p.problems = append(p.problems, &Problem{in.Flag, in.Origin, in.Value, reason, accepted})
}

func (p *parser) warn(in Input, text string) {
	p.warnings = append(p.warnings, Warning{in.Flag, in.Origin, text})
}

// origin is the input that decided a setting.
func (p *parser) origin(flag string) Input {
	if in, ok := p.draft.origins[flag]; ok {
		return in
	}
	return Input{Flag: flag, Origin: byDefault}
}
