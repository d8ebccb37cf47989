package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/cni/node/install"
)

// installCommand installs once, waiting for a network configuration if there
// is none yet, or keeps the installation as the agent does.
func installCommand(ctx context.Context, args []string, out, log io.Writer) error {
	var h host
	var once bool
	var wait time.Duration
	err := parse("install", args, log, h.register, func(f *flag.FlagSet) {
		f.BoolVar(&once, "once", false, "install and end")
		f.DurationVar(&wait, "wait", 0, "with --once: how long to wait for a network configuration")
	})
	if err != nil {
		return err
	}
	i, _, err := h.installer(log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var last install.Pass
	loop := install.Loop{Installer: i, Notify: func(p install.Pass) {
		last = p
		_, _ = io.WriteString(out, describePass(i, p)) // whoever stopped reading still wants it installed
		if once && (p.Ready() || p.Plan.State == install.Refused || wait == 0) {
			cancel()
		}
	}}
	if once && wait > 0 {
		defer time.AfterFunc(wait, cancel).Stop()
	}
	if err := loop.Run(ctx); err != nil {
		return err
	}
	return outcome(last, once)
}

// outcome is what install --once ends with.
func outcome(last install.Pass, once bool) error {
	switch {
	case !once || last.Ready():
		return nil
	case last.Err != nil:
		return last.Err
	}
	return last.Plan.Err
}

func describePass(i install.Installer, p install.Pass) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s", p.Plan.State, path.Join(i.ConfDir, p.Plan.File))
	if p.Copied {
		fmt.Fprintf(&out, ", plugin written to %s", path.Join(i.BinDir, i.Want.Entry.Type()))
	}
	out.WriteString(", " + changes(p.Wrote))
	for _, a := range p.Plan.Actions {
		fmt.Fprintf(&out, "\n  %s %s (%s)", a.Op, a.Name, a.Why)
	}
	for _, err := range []error{p.Plan.Err, p.Err} {
		if err != nil {
			fmt.Fprintf(&out, "\n  %v", err)
		}
	}
	return out.String() + "\n"
}

func changes(n int) string {
	if n == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", n)
}

func uninstall(ctx context.Context, args []string, out, log io.Writer) error {
	var h host
	var grace time.Duration
	err := parse("uninstall", args, log, h.register, func(f *flag.FlagSet) {
		f.DurationVar(&grace, "grace", 5*time.Second, "time for calls under way between taking the entry out and removing the plugin")
	})
	if err != nil {
		return err
	}
	i, _, err := h.installer(log)
	if err != nil {
		return err
	}
	removed, err := i.Uninstall(ctx, grace)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "uninstalled: %s in %s, plugin removed from %s\n", changes(removed), i.ConfDir, i.BinDir)
	return err
}

func status(_ context.Context, args []string, out, log io.Writer) error {
	var h host
	if err := parse("status", args, log, h.register); err != nil {
		return err
	}
	i, _, err := h.installer(out)
	if err != nil {
		return err
	}
	_, p, err := i.Look()
	if err != nil {
		return err
	}
	plugin := path.Join(i.BinDir, i.Want.Entry.Type())
	state := pluginState(i)
	var b strings.Builder
	fmt.Fprintf(&b, "configuration  %s  %s\n", path.Join(i.ConfDir, p.File), p.State)
	fmt.Fprintf(&b, "plugin         %s  %s\n", plugin, state)
	for _, line := range install.Broken(p.Skipped) {
		fmt.Fprintf(&b, "not loadable   %s\n", line)
	}
	for _, a := range p.Actions {
		fmt.Fprintf(&b, "to do          %s %s (%s)\n", a.Op, a.Name, a.Why)
	}
	if p.Err != nil {
		fmt.Fprintf(&b, "reason         %v\n", p.Err)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if p.State != install.Ready || state != "installed" {
		return errNotReady
	}
	return nil
}

func pluginState(i install.Installer) string {
	real, err := i.Host.Resolve(path.Join(i.BinDir, i.Want.Entry.Type()))
	if err == nil {
		_, err = os.Stat(i.Host.Here(real))
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "missing"
	case err != nil:
		return err.Error()
	}
	return "installed"
}
