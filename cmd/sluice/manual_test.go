package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// manual is a command's manual page in the man macros.
func manual(c *cobra.Command) string {
	var b strings.Builder
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".\\\" Generated from the code by make docs.\n.TH %s 1\n", strings.ToUpper(roff(name)))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(strings.TrimSuffix(c.Short, ".")))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	if c.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(c.Long))
	}
	own, policy, accepted := split(c)
	manualFlags(&b, "OPTIONS", own)
	manualFlags(&b, "SETTINGS", policy)
	manualFlags(&b, "ACCEPTED FOR COMPATIBILITY", accepted)
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	if !c.HasParent() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range documented(c)[1:] {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(strings.ReplaceAll(sub.CommandPath(), " ", "-")), roff(sub.Short))
		}
		return b.String()
	}
	b.WriteString(".SH SEE ALSO\n.BR sluice (1)\n")
	return b.String()
}

func manualFlags(b *strings.Builder, title string, flags []flagFacts) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, f := range flags {
		names := "--" + f.name
		if f.short != "" {
			names = "-" + f.short + ", " + names
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s", roff(names), roff(f.help))
		if f.fallback != "" {
			fmt.Fprintf(b, " (default %s)", roff(f.fallback))
		}
		b.WriteString(".\n")
		if f.env != "" {
			fmt.Fprintf(b, "Environment: %s.\n", roff(f.env))
		}
	}
}

// roff escapes text: a backslash, a hyphen that is to be copied, and a control
// character at the beginning of a line.
func roff(s string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(s), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func paragraphs(s string) string { return strings.ReplaceAll(roff(s), "\n\n", "\n.PP\n") }

func TestManualPagesEscapeWhatRoffWouldRead(t *testing.T) {
	if got, want := roff(".x -i '*' a\\b"), `\&.x \-i '*' a\eb`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
