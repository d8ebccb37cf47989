package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/cni/node/install"
)

// installOptions are the flags of install beside the host's.
type installOptions struct {
	host
	once bool
	wait time.Duration
}

func (o *installOptions) register(f *flag.FlagSet) {
	o.host.register(f)
	f.BoolVar(&o.once, "once", false, "install and end")
	f.DurationVar(&o.wait, "wait", 0, "with --once: how long to wait for a network configuration")
}

// installCommand installs once, waiting for a network configuration if there
// is none yet, or keeps the installation as the agent does.
func installCommand(ctx context.Context, args []string, out, log io.Writer) error {
	var o installOptions
	if err := parse("install", args, log, o.register); err != nil {
		return err
	}
	i, _, err := o.installer(log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var last install.Pass
	loop := install.Loop{Installer: i, Notify: func(p install.Pass) {
		last = p
		_, _ = io.WriteString(out, describePass(i, p)) // whoever stopped reading still wants it installed
		if o.once && (p.Ready() || p.Plan.State == install.Refused || o.wait == 0) {
			cancel()
		}
	}}
	if o.once && o.wait > 0 {
		defer time.AfterFunc(o.wait, cancel).Stop()
	}
	if err := loop.Run(ctx); err != nil {
		return err
	}
	return outcome(last, o.once)
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
	fmt.Fprintf(&out, "%s %s", cmp.Or(string(p.Plan.State), "failed in"), path.Join(i.ConfDir, p.Plan.File))
	if p.Copied {
		fmt.Fprintf(&out, ", plugin written to %s", path.Join(i.BinDir, i.Want.Entry.Type()))
	}
	out.WriteString(", " + changes(p.Wrote))
	for _, a := range p.Plan.Actions {
		fmt.Fprintf(&out, "\n  %s %s (%s)", a.Op, a.Name, a.Why)
	}
	for _, line := range install.Broken(p.Plan.Skipped) {
		out.WriteString("\n  not loadable " + line)
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

// uninstallOptions are the flags of uninstall beside the host's.
type uninstallOptions struct {
	host
	grace time.Duration
}

func (o *uninstallOptions) register(f *flag.FlagSet) {
	o.host.register(f)
	registerGrace(f, &o.grace)
}

func registerGrace(f *flag.FlagSet, grace *time.Duration) {
	f.DurationVar(grace, "grace", 5*time.Second, "time for calls under way between taking the entry out and removing the plugin")
}

func uninstall(ctx context.Context, args []string, out, log io.Writer) error {
	var o uninstallOptions
	if err := parse("uninstall", args, log, o.register); err != nil {
		return err
	}
	o.keys = "" // what the entry said does not matter any more, and may be gone
	i, _, err := o.installer(log)
	if err != nil {
		return err
	}
	removed, err := i.Uninstall(ctx, o.grace)
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
	plugin, pluginErr := i.Plugin()
	if _, err := io.WriteString(out, describeStatus(i, p, plugin, pluginErr)); err != nil {
		return err
	}
	if p.State != install.Ready || plugin != install.PluginInstalled {
		return errNotReady
	}
	return nil
}

func describeStatus(i install.Installer, p install.Plan, plugin install.PluginState, pluginErr error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "configuration  %s  %s\n", path.Join(i.ConfDir, p.File), p.State)
	fmt.Fprintf(&b, "plugin         %s  %s\n", path.Join(i.BinDir, i.Want.Entry.Type()), plugin)
	for _, line := range install.Broken(p.Skipped) {
		fmt.Fprintf(&b, "not loadable   %s\n", line)
	}
	for _, a := range p.Actions {
		fmt.Fprintf(&b, "to do          %s %s (%s)\n", a.Op, a.Name, a.Why)
	}
	if plugin != install.PluginInstalled && pluginErr == nil {
		fmt.Fprintf(&b, "to do          copy %s\n", i.Program)
	}
	for _, err := range []error{p.Err, pluginErr} {
		if err != nil {
			fmt.Fprintf(&b, "reason         %v\n", err)
		}
	}
	return b.String()
}
