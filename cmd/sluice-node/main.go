// Sluice-node is the DaemonSet's program: it installs the plugin on its node,
// answers it, repairs pods that started without rules, and serves health and
// metrics. docs/install.md is its guide.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// version is set when the program is built.
var version = "unknown"

// command is one thing that the program does.
type command struct {
	name, does string
	run        func(ctx context.Context, args []string, out, log io.Writer) error
}

func commands() []command {
	return []command{
		{"run", "install, answer plugins, repair, serve; until it is told to end", run},
		{"install", "install the plugin and its entry once (--once), or keep them installed", installCommand},
		{"uninstall", "take the entry out, then the plugin; the primary's file is as it was", uninstall},
		{"status", "what is installed here, and what an install would do; changes nothing", status},
		{"decide", "what the plugin would do with the pods of a manifest (-f pod.yaml)", decideCommand},
		{"version", "print the version", printVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// dispatch finds the command; without one, a person gets the list.
func dispatch(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return badUsage("want a command\n\n" + usage())
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		_, err := io.WriteString(out, usage())
		return err
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], out, log)
		}
	}
	return badUsage(fmt.Sprintf("unknown command %q\n\n", args[0]) + usage())
}

// usage is what there is to call.
func usage() string {
	var text strings.Builder
	text.WriteString("sluice-node COMMAND [flags]   (COMMAND -h lists the flags)\n")
	for _, c := range commands() {
		fmt.Fprintf(&text, "  %-10s %s\n", c.name, c.does)
	}
	return text.String()
}

// badUsage is a mistake on the command line.
type badUsage string

func (e badUsage) Error() string { return string(e) }

// notReady is an answer, not a failure: status found work to do.
var errNotReady = errors.New("not installed")

// exit maps errors to exit codes: 0 done, 1 failed, 2 status
// differs, 64 bad usage.
func exit(err error, log io.Writer) int {
	var bad badUsage
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errNotReady):
		return 2
	}
	_, _ = fmt.Fprintln(log, "sluice-node:", err) // the exit code says it too
	if errors.As(err, &bad) {
		return 64
	}
	return 1
}

func printVersion(_ context.Context, _ []string, out, _ io.Writer) error {
	_, err := fmt.Fprintln(out, "sluice-node", version)
	return err
}
