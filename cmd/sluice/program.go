package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
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
	return report(p.stderr, root.ExecuteContext(ctx))
}

// arguments makes the ecosystem's ways of calling the tool into ours: a binary
// named istio-iptables is the command of that name.
func arguments(args []string) []string {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name == "istio-iptables" && (len(args) < 2 || args[1] != name) {
		return append([]string{name}, args[1:]...)
	}
	return args[1:]
}

func rootCommand(p program) *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Steer a pod's traffic through its sidecar, and show what the rules do",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(commands(p)...)
	return root
}

// commands lists the commands in the order of their help. A pod waits for apply,
// and does not wait for the flags of commands that it did not ask for.
func commands(p program) []*cobra.Command {
	if len(p.args) > 1 && isApply(arguments(p.args)[0]) {
		return []*cobra.Command{applyCommand(p)}
	}
	return []*cobra.Command{
		applyCommand(p),
		checkCommand(p),
		validateCommand(p),
		cleanCommand(p),
		explainCommand(p),
		diffCommand(p),
		graphCommand(p),
		doctorCommand(p),
		versionCommand(p),
	}
}

func isApply(word string) bool { return word == "istio-iptables" || word == "apply" }
