package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// The guides show what the program really prints: each ```console block is a
// command and its output. make docs writes them.
func TestGuidesShowRealOutput(t *testing.T) {
	root, err := filepath.Abs(docs)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "examples"))
	for _, name := range []string{"why-not-captured.md", "ci.md"} {
		path := filepath.Join(root, name)
		blocks := 0
		var page strings.Builder
		inside := false
		for line := range strings.Lines(readFile(t, path)) {
			if command, _, indented := strings.Cut(strings.TrimPrefix(line, "    sluice "), " > "); indented && line[0] == ' ' && name == "why-not-captured.md" {
				if shown := transcript(t, command); strings.Contains(shown, "(exit code") {
					t.Errorf("%s: sluice %s fails: %s", name, command, shown)
				}
			}
			switch command, isCommand := strings.CutPrefix(line, "$ sluice "); {
			case inside && strings.HasPrefix(line, "```"):
				inside = false
				page.WriteString(line)
			case isCommand:
				blocks++
				page.WriteString(line + transcript(t, strings.TrimSpace(command)))
			case !inside:
				page.WriteString(line)
			}
			inside = inside || strings.HasPrefix(line, "```console")
		}
		if blocks == 0 {
			t.Errorf("%s shows no command", name)
		}
		hold(t, path, page.String())
	}
}

// transcript is what a terminal shows of a command.
func transcript(t *testing.T, line string) string {
	t.Helper()
	args, err := iptables.SplitWords(strings.ReplaceAll(line, "'", `"`))
	if err != nil {
		t.Fatal(err)
	}
	c := call(nil, "", args...)
	text := c.stdout + withoutTimes(called{stderr: c.stderr})
	if c.code != 0 {
		text += fmt.Sprintf("(exit code %d)\n", c.code)
	}
	return text
}
