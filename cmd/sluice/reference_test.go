package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

var update = flag.Bool("update", false, "rewrite golden files (make golden) and generated documentation (make docs)")

const docs = "../../docs"

// The reference pages and manual pages are made from the code. This test holds
// the files to it; make docs writes them.
func TestTheReferenceSaysWhatTheCodeDoes(t *testing.T) {
	root := rootCommand(program{env: func(string) (string, bool) { return "", false }, stdout: io.Discard, stderr: io.Discard})
	pages := map[string]string{
		"reference/commands.md": commandsPage(root),
		"reference/settings.md": settingsPage(),
		"reference/codes.md":    codesPage(t),
	}
	for _, c := range documented(root) {
		pages["man/"+strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"] = manual(c)
	}
	for name, words := range conceptPictures() {
		pages["pictures/"+name+".svg"] = picture(t, words)
	}
	for name, want := range pages {
		hold(t, filepath.Join(docs, name), want)
	}
	old, err := filepath.Glob(filepath.Join(docs, "man", "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range old {
		if _, ok := pages["man/"+filepath.Base(file)]; !ok {
			t.Errorf("%s is of a command that does not exist", file)
		}
	}
}

func hold(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the code says; run make docs. First difference:\n%s", path, firstDifference(string(got), want))
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(a), len(b))
}

// documented are the commands with a page: all but cobra's own.
func documented(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
			list = append(list, documented(sub)...)
		}
	}
	return list
}

// flagFacts is a flag's line of help taken apart again.
type flagFacts struct{ name, short, help, fallback, env string }

var usageForm = regexp.MustCompile(`^(.*?)(?: \(default (.*?)\))?(?: \[([A-Z0-9_, ]+)\])?$`)

func facts(f *pflag.Flag) flagFacts {
	m := usageForm.FindStringSubmatch(f.Usage)
	return flagFacts{f.Name, f.Shorthand, m[1], m[2], m[3]}
}

func isSetting(name string) bool {
	for _, s := range builder.Settings() {
		if s.Flag == name {
			return true
		}
	}
	return false
}

// split sorts a command's flags: its own, those of the policy, and those that
// are accepted for the mesh's tool's sake.
func split(c *cobra.Command) (own, policy, accepted []flagFacts) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Hidden:
			accepted = append(accepted, facts(f))
		case isSetting(f.Name):
			policy = append(policy, facts(f))
		default:
			own = append(own, facts(f))
		}
	})
	return own, policy, accepted
}

const generated = "<!-- Generated from the code by `make docs`; a test holds it. -->\n\n"

func commandsPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(generated + "# Commands\n\nThe programs `pilot-agent` and `istio-iptables` are other names of `sluice`. The exit codes are in [codes](codes.md).\n")
	for _, c := range documented(root)[1:] {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
		if c.Long != "" {
			fmt.Fprintf(&b, "\n%s\n", c.Long)
		}
		fmt.Fprintf(&b, "\n    %s\n", c.UseLine())
		for _, alias := range c.Aliases {
			fmt.Fprintf(&b, "\nAlso `sluice %s`.\n", alias)
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n\n    %s\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n  ", "\n    "))
		}
		own, policy, accepted := split(c)
		flagTable(&b, own)
		if len(policy) > 0 {
			b.WriteString("\nAnd the policy's [settings](settings.md).\n")
		}
		if len(accepted) > 0 {
			b.WriteString("\nAccepted because the mesh's own tool has them:\n")
			flagTable(&b, accepted)
		}
	}
	return b.String()
}

func flagTable(b *strings.Builder, flags []flagFacts) {
	if len(flags) == 0 {
		return
	}
	b.WriteString("\n| flag | default | environment | |\n|---|---|---|---|\n")
	for _, f := range flags {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", flagNames(f.name, f.short), code(f.fallback), codes(strings.Split(f.env, ", ")), cell(f.help))
	}
}

func settingsPage() string {
	var b strings.Builder
	b.WriteString(generated + `# Settings of the policy

What each means for a packet is in [concepts](../concepts.md). The flag's name is also the key in a configuration file.
Lowest first, settings come from defaults, environment and flags. Set but empty means "not given", except for those
marked † below, where it is the empty list.

| flag | environment | default | accepts | |
|---|---|---|---|---|
`)
	for _, s := range builder.Settings() {
		mark := ""
		if s.EmptyCounts {
			mark = " †"
		}
		fmt.Fprintf(&b, "| %s%s | %s | %s | %s | %s |\n", flagNames(s.Flag, s.Short), mark, codes(s.Env), code(s.Default), cell(s.Accepts), cell(s.Help))
	}
	b.WriteString(`
# What a pod can state

Read by the CNI plugin and the node agent. The first annotation that exists wins, then the variable of the container
` + "`istio-proxy`" + `, then the key of the annotation ` + "`proxy.istio.io/config`" + ` (variables stand in its ` + "`proxyMetadata`" + `). A
variable that is given by ` + "`valueFrom`" + ` is an error: it cannot be read before the pod runs. The proxy's uid and gid are
those of its security context, else the pod's; 0 counts as 1337.

| setting | annotation | variable | key of proxy.istio.io/config | default of pods |
|---|---|---|---|---|
`)
	for _, n := range podsettings.Names() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", n.Flag, codes(n.Annotations), code(n.Env), code(n.ConfigKey), code(n.Default))
	}
	return b.String()
}

func flagNames(name, short string) string {
	if short == "" {
		return "`--" + name + "`"
	}
	return "`--" + name + "`, `-" + short + "`"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

func codes(list []string) string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, code(s))
		}
	}
	return strings.Join(out, " ")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func codesPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(generated + "# Exit codes of sluice\n\n| code | |\n|---|---|\n")
	for _, c := range constants(t, "exit.go", "exit") {
		fmt.Fprintf(&b, "| %s | %s |\n", c.value, cell(c.comment))
	}
	b.WriteString("\n# Error codes of sluice-cni\n\nThose below 100 are the CNI specification's.\n\n| code | |\n|---|---|\n")
	for _, c := range constants(t, "../../cni/errors.go", "Code") {
		fmt.Fprintf(&b, "| %s | %s |\n", c.value, cell(c.comment))
	}
	return b.String()
}

type constant struct{ name, value, comment string }

// constants reads the constants of a file whose names begin with a prefix.
func constants(t *testing.T, file, prefix string) (list []constant) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(v.Names[0].Name, prefix) && len(v.Values) == 1 {
			if value, ok := v.Values[0].(*ast.BasicLit); ok {
				list = append(list, constant{v.Names[0].Name, value.Value, strings.TrimSpace(v.Comment.Text())})
			}
		}
		return true
	})
	if len(list) == 0 {
		t.Fatalf("no constant %s… in %s", prefix, file)
	}
	return list
}
