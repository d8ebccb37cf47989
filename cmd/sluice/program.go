package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// program is what a run of sluice gets from the outside and gives back.
// stdout carries the answer and nothing else; everything said on the way goes
// to stderr.
type program struct {
	args           []string // including the name it was called by
	env            func(string) (string, bool)
	stdin          io.Reader
	stdout, stderr io.Writer
}

func process() program {
	return program{os.Args, os.LookupEnv, os.Stdin, os.Stdout, os.Stderr}
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, p program) int {
	root := rootCommand(p)
	root.SetArgs(arguments(p.args))
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	c, err := root.ExecuteContextC(ctx)
	if f := c.Flags().Lookup("log_as_json"); f != nil && f.Value.String() == "true" {
		return reportLine(p.stderr, err)
	}
	return report(p.stderr, err)
}

// arguments makes the ecosystem's ways of calling the tool into ours: a binary
// named istio-iptables is the command of that name, unless another one of ours
// is asked for. Other words are the mesh's, whose tool ignores them.
func arguments(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	const name = "istio-iptables"
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == name && (len(args) < 2 || makes(args[1]) == nil) {
		return append([]string{name}, args[1:]...)
	}
	return args[1:]
}

func rootCommand(p program) *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Version:       version,
		Short:         "Steer a pod's traffic through its sidecar, and show what the rules do",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noWords,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(wrongFlag(arguments(p.args)))
	root.SuggestionsMinimumDistance = 2 // letters that may be wrong
	list, named := commands(p)
	root.AddCommand(list...)
	root.CompletionOptions.DisableDefaultCmd = named // those of the shells are cobra's, and some work to make
	return root
}

// makers make the commands, in the order of their help.
func makers() []maker {
	return []maker{
		{"apply istio-iptables", applyCommand},
		{"check", checkCommand},
		{"validate", validateCommand},
		{"clean", cleanCommand},
		{"explain", explainCommand},
		{"diff", diffCommand},
		{"graph", graphCommand},
		{"doctor", doctorCommand},
		{"version", versionCommand},
	}
}

type maker struct {
	names string
	make  func(program) *cobra.Command
}

// makes finds the maker of a command by one of its names.
func makes(name string) func(program) *cobra.Command {
	for _, m := range makers() {
		if slices.Contains(strings.Fields(m.names), name) {
			return m.make
		}
	}
	return nil
}

// commands makes the command that was asked for by name, else all. A pod waits
// for apply, and does not wait for the flags of what it did not ask for.
func commands(p program) (list []*cobra.Command, named bool) {
	if args := arguments(p.args); len(args) > 0 {
		if m := makes(args[0]); m != nil {
			return []*cobra.Command{m(p)}, true
		}
	}
	for _, m := range makers() {
		list = append(list, m.make(p))
	}
	return list, false
}
