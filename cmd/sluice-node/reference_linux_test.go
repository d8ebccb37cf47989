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
		"Those of the first table go with every command that looks at the host, the others with `run` only. The plugin's settings are those of\n[cni.md](../cni.md#network-config).\n" +
		table((&host{}).register) + table((&options{}).register)
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

// table lists the flags that register adds; those of every command only once.
func table(register func(*flag.FlagSet)) string {
	common, all := flag.NewFlagSet("", flag.ContinueOnError), flag.NewFlagSet("", flag.ContinueOnError)
	(&host{}).register(common)
	register(all)
	n := 0
	all.VisitAll(func(*flag.Flag) { n++ })
	commons := 0
	common.VisitAll(func(*flag.Flag) { commons++ })
	var b strings.Builder
	b.WriteString("\n| flag | default | |\n|---|---|---|\n")
	all.VisitAll(func(f *flag.Flag) {
		if n > commons && common.Lookup(f.Name) != nil {
			return
		}
		value := ""
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name, value, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
	return b.String()
}
