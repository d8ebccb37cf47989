package explain

import (
	"fmt"
	"strings"
)

// Text is the answer as a person would give it. A run of more than quiet rules
// of a chain that do not match is told in one line; quiet below 1 tells all.
func (a Answer) Text(quiet int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s: %s\n", a.Verdict, a.Family, a.Connection)
	if a.Rules != "" {
		fmt.Fprintf(&b, "rules: %s\n", a.Rules)
	}
	for _, s := range a.Assumptions {
		fmt.Fprintf(&b, "assumed: %s\n", s)
	}
	for _, w := range a.Ways {
		w.text(&b, quiet, len(a.Ways) > 1)
	}
	return b.String()
}

func (w Way) text(b *strings.Builder, quiet int, several bool) {
	b.WriteByte('\n')
	for _, s := range w.Supposed {
		holds := "does not hold"
		if s.Holds {
			holds = "holds"
		}
		fmt.Fprintf(b, "Suppose that “%s” %s.\n", s.Condition, holds)
	}
	if several {
		fmt.Fprintln(b, w.Verdict)
	}
	fmt.Fprintf(b, "Why: %s.\n", w.Because)
	if w.Setting != "" {
		fmt.Fprintf(b, "Setting: %s\n", w.Setting)
	}
	if w.Change != "" {
		fmt.Fprintf(b, "Change: %s\n", w.Change)
	}
	for _, n := range w.Notes {
		fmt.Fprintf(b, "Note: %s\n", n)
	}
	w.walkText(b, quiet)
}

// walkText tells the steps, hook by hook.
func (w Way) walkText(b *strings.Builder, quiet int) {
	counted := false
	for _, s := range w.Steps {
		counted = counted || s.Packets > 0
	}
	if counted {
		b.WriteString("\nBefore each rule stand the packets that the kernel has counted.\n")
	}
	t := teller{Builder: b, counted: counted, deciding: w.Deciding}
	for i := 0; i < len(w.Steps); i++ {
		s := w.Steps[i]
		t.headings(s)
		if n := run(w.Steps[i:]); quiet > 0 && n > quiet {
			fmt.Fprintf(b, "  %s%4s  rules %d to %d: none of these %d matches\n", t.count(0), "", s.Number, s.Number+n-1, n)
			i += n - 1
			continue
		}
		t.step(i, s)
	}
	if len(w.Steps) == 0 {
		return
	}
	t.end(w)
}

// run counts the steps from the first that stand in one chain and do not match.
func run(steps []Step) int {
	n := 0
	for n < len(steps) && !steps[n].Matched && steps[n].Chain == steps[0].Chain && steps[n].Number == steps[0].Number+n {
		n++
	}
	return n
}

type teller struct {
	*strings.Builder
	counted     bool
	deciding    int
	path, place string
	told        bool // a path before this one
}

func (t *teller) headings(s Step) {
	if s.Path != t.path {
		t.path, t.place = s.Path, ""
		words := map[bool]string{true: "Leaving the process", false: "Arriving"}[s.Path == "leaving"]
		if t.told {
			words = "Then arriving by lo"
		}
		fmt.Fprintf(t.Builder, "\n%s:\n", words)
		t.told = true
	}
	if place := s.Table + " " + s.Chain; place != t.place {
		t.place = place
		via := ""
		if s.Depth > 0 {
			via = "  (from " + s.Hook + ")"
		}
		fmt.Fprintf(t.Builder, "  %s%s\n", place, via)
	}
}

func (t *teller) count(packets uint64) string {
	if !t.counted {
		return ""
	}
	if packets == 0 {
		return fmt.Sprintf("%8s ", "")
	}
	return fmt.Sprintf("%8d ", packets)
}

func (t *teller) step(i int, s Step) {
	mark := "  "
	if s.Matched {
		mark = "→ "
	}
	line := fmt.Sprintf("  %s%4d  %s%s", t.count(s.Packets), s.Number, mark, s.Rule)
	switch {
	case i == t.deciding:
		line = pad(line) + "decides"
	case s.WhyNot != "":
		line = pad(line) + "no: " + s.WhyNot
	case s.Matched:
		line = pad(line) + "matches"
	}
	fmt.Fprintln(t.Builder, line)
}

const column = 84 // where the reasons stand

func pad(line string) string {
	n := len([]rune(line))
	if n >= column {
		return line + "   "
	}
	return line + strings.Repeat(" ", column-n)
}

func (t *teller) end(w Way) {
	end := map[string]string{
		Direct: "left alone", Redirected: "port", TProxied: "port", Dropped: "dropped", Unknown: "not known",
	}[w.Fate]
	if w.Port != 0 {
		end = fmt.Sprintf("port %d", w.Port)
	}
	fmt.Fprintf(t.Builder, "\n  ⇒ %s\n", end)
}
