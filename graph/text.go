package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// DOT is the picture in the language of Graphviz.
func (p Picture) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph sluice {\n  label=%q labelloc=t rankdir=LR\n  node [shape=plain fontname=\"sans-serif\" fontsize=11]\n  edge [color=\"#94a3b8\"]\n", p.Title)
	for _, box := range p.Boxes {
		fmt.Fprintf(&b, "  %q [%s]\n", box.ID, box.dot())
	}
	for column := range p.columns {
		b.WriteString("  { rank=same")
		for _, box := range p.inColumn(column) {
			fmt.Fprintf(&b, " %q", box.ID)
		}
		b.WriteString(" }\n")
	}
	for _, box := range p.Boxes {
		for i, r := range box.Rows {
			if r.To == "" {
				continue
			}
			hot := ""
			if r.Hot {
				hot = ` [color="#ea580c" penwidth=2.5]`
			}
			fmt.Fprintf(&b, "  %q:r%d:e -> %q%s\n", box.ID, i, r.To, hot)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func (b Box) dot() string {
	if b.Kind == Outcome {
		return fmt.Sprintf("shape=box style=\"rounded,filled\" fillcolor=%q fontcolor=white label=%q", b.colour(), b.Title+"\n"+b.Detail)
	}
	var t strings.Builder
	fmt.Fprintf(&t, `<table border="0" cellborder="1" cellspacing="0" cellpadding="5" color="#cbd5e1"><tr><td bgcolor="%s"><font color="white"><b>%s</b><br/>%s</font></td></tr>`, b.colour(), escape(b.Title), escape(b.Detail))
	for i, r := range b.Rows {
		colour := "white"
		if r.Hot {
			colour = "#ffedd5"
		}
		end := ""
		if r.End != "" {
			end = " <b>" + escape(r.End) + "</b>"
		}
		fmt.Fprintf(&t, `<tr><td port="r%d" align="left" bgcolor="%s">%s%s%s</td></tr>`, i, colour, number(r), escape(r.Words), end)
	}
	return "label=<" + t.String() + "</table>>"
}

func number(r Row) string {
	if r.Number == 0 {
		return ""
	}
	return fmt.Sprintf("%d. ", r.Number)
}

// Mermaid is the picture in the language that code hosts draw in documents.
func (p Picture) Mermaid() string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntitle: %q\n---\nflowchart LR\n", p.Title)
	for _, box := range p.Boxes {
		fmt.Fprintf(&b, "  %s%s\n", node(box.ID), box.mermaid())
	}
	line := 0
	var hot []string
	for _, box := range p.Boxes {
		for _, r := range box.Rows {
			if r.To == "" {
				continue
			}
			fmt.Fprintf(&b, "  %s -- \"%s\" --> %s\n", node(box.ID), plain(strings.TrimSuffix(number(r), " ")+" "+r.Words), node(r.To))
			if r.Hot {
				hot = append(hot, strconv.Itoa(line))
			}
			line++
		}
	}
	for _, box := range p.Boxes {
		fill := "fill:#ffffff,stroke:#94a3b8,color:#1e293b"
		if box.Kind == Outcome || box.Kind == Hook {
			fill = "fill:" + box.colour() + ",color:#ffffff"
		}
		fmt.Fprintf(&b, "  style %s %s\n", node(box.ID), fill)
	}
	if len(hot) > 0 {
		fmt.Fprintf(&b, "  linkStyle %s stroke:#ea580c,stroke-width:3px\n", strings.Join(hot, ","))
	}
	return b.String()
}

// mermaid is a box's shape. Rules that lead on stand at their lines; a chain's
// box lists the others.
func (b Box) mermaid() string {
	if b.Kind == Outcome {
		return fmt.Sprintf(`(["%s<br/>%s"])`, plain(b.Title), plain(b.Detail))
	}
	lines := []string{"<b>" + plain(b.Title) + "</b>", plain(b.Detail)}
	for _, r := range b.Rows {
		switch {
		case r.To != "":
		case r.End != "":
			lines = append(lines, plain(number(r)+r.Words)+": "+plain(r.End))
		default:
			lines = append(lines, plain(number(r)+r.Words))
		}
	}
	return `["` + strings.Join(lines, "<br/>") + `"]`
}

// node is an ID that Mermaid takes.
func node(id string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return c
		}
		return '_'
	}, id)
}

// plain takes out of a text what Mermaid would read.
func plain(text string) string {
	return strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "#", "#35;").Replace(text)
}
