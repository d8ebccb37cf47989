package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated documentation (make docs)")

const page = "../../docs/reference/node.md"

// The page of the agent's flags is made from the code; make docs writes it.
func TestTheReferenceListsEveryFlagOfTheAgent(t *testing.T) {
	want := "<!-- Generated from the code by `make docs`; a test holds it. -->\n\n# Flags of sluice-node\n\n" +
		"Exit codes: 0 done, 1 failed, 2 `status` found something to do, 64 a mistake on the command line. The plugin's settings are those of\n" +
		"[cni.md](../cni.md#network-config).\n"
	for _, c := range []struct {
		title    string
		register func(*flag.FlagSet)
	}{
		{"`run`, `install`, `uninstall` and `status`", (&host{}).register},
		{"`run`", (&options{}).register},
		{"`install`", (&installOptions{}).register},
		{"`uninstall`", (&uninstallOptions{}).register},
		{"`decide`", (&decideOptions{}).register},
	} {
		want += "\n## " + c.title + "\n" + table(c.register)
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/reference/node.md is not what the code says; run make docs. Got\n%s\nwant\n%s", got, want)
	}
}

// table lists the flags that register adds. Those that it has in common with
// other commands that look at the host stand in the table of these only.
func table(register func(*flag.FlagSet)) string {
	common, all := flag.NewFlagSet("", flag.ContinueOnError), flag.NewFlagSet("", flag.ContinueOnError)
	(&host{}).register(common)
	register(all)
	more := all.Lookup("host-root") != nil && count(all) > count(common)
	var b strings.Builder
	b.WriteString("\n| flag | default | |\n|---|---|---|\n")
	all.VisitAll(func(f *flag.Flag) {
		if more && common.Lookup(f.Name) != nil {
			return
		}
		dashes, value := "--", ""
		if len(f.Name) == 1 {
			dashes = "-"
		}
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", dashes, f.Name, value, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
	return b.String()
}

func count(s *flag.FlagSet) (n int) {
	s.VisitAll(func(*flag.Flag) { n++ })
	return n
}
