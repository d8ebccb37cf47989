package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/graph"
	"github.com/sluicemesh/sluice/iptables"
)

// pictures lists the formats of pictures.
func pictures() []string { return []string{"svg", "dot", "mermaid"} }

func graphCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "graph [flags]",
		Short: "Draw the chains: hooks on the left, outcomes on the right",
		Long: `Draws the rules that the settings make, that a file holds, or that stand in a
namespace, as SVG, DOT or Mermaid. With --highlight the way of one connection
stands out.`,
		Example: `  sluice graph -b '*' -i '*' > rules.svg
  sluice graph --rules istio.rules --format mermaid
  sluice graph -b '*' -i '*' --highlight 'outside :8080' > inbound.svg`,
		Args: noWords,
	}
	own := []option{
		{flag: "format", fallback: "svg", help: "svg, dot or mermaid"},
		{flag: "family", help: "4 or 6 (default 4 where it has rules)"},
		{flag: "highlight", help: "a connection, as 'FROM TO' of explain, such as 'app 192.0.2.80:443'"},
	}
	v := bind(c, p, own, rulesOptions(), settingOptions(), sourceOptions(), namespaceOptions(), logOptions())
	c.RunE = func(c *cobra.Command, _ []string) error { return runGraph(c.Context(), p, v) }
	return c
}

func runGraph(ctx context.Context, p program, v *values) error {
	a := applyRun{p: p, v: v, log: newLogger(p, v), known: offline()}
	format := v.oneOf("format", pictures()...)
	family := iptables.Family(0)
	if v.text("family") != "" {
		family = map[string]iptables.Family{"4": iptables.V4, "6": iptables.V6}[v.oneOf("family", "4", "6")]
	}
	asked := v.highlighted()
	subjects, err := a.subjects(ctx)
	if err != nil {
		return err
	}
	if programmed := slices.DeleteFunc(slices.Clone(subjects), func(s subject) bool { return s.left != "" }); len(programmed) == 1 {
		subjects = programmed // a picture of those without rules is nothing
	}
	if len(subjects) != 1 {
		var titles []string
		for _, s := range subjects {
			titles = append(titles, s.title)
		}
		return &usageError{fmt.Errorf("a picture shows one rule set, not %d: %s", len(subjects), strings.Join(titles, "; "))}
	}
	if asked != nil {
		err = a.placed(ctx, subjects, *asked)
	}
	if err != nil {
		return err
	}
	return drawSubject(p.stdout, subjects[0], family, asked, format)
}

// highlighted reads "FROM TO"; nil for nothing.
func (v *values) highlighted() *explain.Question {
	text := v.text("highlight")
	fields := strings.Fields(text)
	switch len(fields) {
	case 0:
		return nil
	case 2:
		q := v.parsed("highlight", explain.Asked{From: fields[0], To: fields[1]})
		return &q
	}
	v.refuse("highlight", text, "not two words", "FROM and TO of explain, such as 'app 192.0.2.80:443'")
	return nil
}

func drawSubject(w io.Writer, s subject, family iptables.Family, q *explain.Question, format string) error {
	if s.left != "" {
		return fmt.Errorf("%s: %s", s.title, s.left)
	}
	if q != nil && q.To.Addr().IsValid() {
		family = iptables.FamilyOf(q.To.Addr())
	}
	rs, ok := ofFamily(s, family)
	if !ok {
		return &usageError{fmt.Errorf("%s holds no rules for that family", s.title)}
	}
	o := graph.Options{Title: pictureTitle(s, rs.Family), Names: side(s, rs.Family, false).Names}
	if q != nil {
		highlight(&o, s, rs, *q)
	}
	picture := graph.Of(rs, o)
	text := map[string]func() string{"svg": picture.SVG, "dot": picture.DOT, "mermaid": picture.Mermaid}[format]()
	_, err := io.WriteString(w, text)
	return err
}

// ofFamily picks the rules of a family; 0 is the first that has any.
func ofFamily(s subject, f iptables.Family) (iptables.Ruleset, bool) {
	for _, rs := range s.rules {
		if rs.Family == f || f == 0 && len(rs.Chains) > 0 {
			return rs, true
		}
	}
	if f == 0 && len(s.rules) > 0 {
		return s.rules[0], true
	}
	return iptables.Ruleset{}, false
}

func pictureTitle(s subject, f iptables.Family) string {
	title := "Interception rules, " + f.String()
	if s.title != "" {
		title += ", " + s.title
	}
	return title
}

// highlight notes the way of a connection, and its end.
func highlight(o *graph.Options, s subject, rs iptables.Ruleset, q explain.Question) {
	s.rules = []iptables.Ruleset{rs}
	answers := explain.Ask(explain.Subject{Rules: s.rules, Config: s.config(), Place: s.place}, q)
	if len(answers) == 0 || len(answers[0].Ways) == 0 {
		return
	}
	way := answers[0].Ways[0]
	o.Title += ": " + answers[0].Connection
	for _, step := range way.Steps {
		if step.Matched {
			o.Path = append(o.Path, graph.Place{Table: iptables.Table(step.Table), Chain: step.Chain, Number: step.Number})
		}
	}
	switch way.Fate {
	case explain.Direct:
		o.End = graph.EndDirect
	case explain.Dropped:
		o.End = graph.EndDropped
	case explain.Unknown:
		o.End = graph.EndUnknown
	default:
		o.End = graph.EndPort(iptables.Port(way.Port))
	}
}
