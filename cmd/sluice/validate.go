package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/validation"
)

// probeOptions are those of validation, by whatever command.
func probeOptions() []option {
	return []option{
		{flag: "iptables-probe-port", env: []string{"IPTABLES_PROBE_PORT"}, fallback: "15002", help: "port that validation dials where the settings don't ask for another one"},
		{flag: "probe-timeout", env: []string{"PROBE_TIMEOUT"}, fallback: "5s", help: "how long validation waits for rules that are not there yet"},
		{flag: "attach", boolean: true, help: "leave the proxy's ports to the proxy that listens there"},
		{flag: "termination-log", help: "file for the cause of a failed validation (default /dev/termination-log if it can be written)"},
	}
}

func validateCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "validate [flags]",
		Short: "Prove by real packets and connections that interception works",
		Long: `Sends packets and opens connections that cannot leave the pod, as the proxy, as
an application and as arriving from outside, and compares where each one ends
with what the settings want. What the privileges do not allow is listed with the
reason. Changes nothing. Exit code 0: all well. 126: interception does not work.`,
		Args: noWords,
	}
	format := []option{{flag: "format", fallback: "text", help: "of the report: text or json"}}
	v := bind(c, p, settingOptions(), probeOptions(), format, sourceOptions(), namespaceOptions(), logOptions())
	c.RunE = func(c *cobra.Command, _ []string) error { return runValidate(c.Context(), p, v) }
	return c
}

func runValidate(ctx context.Context, p program, v *values) error {
	a := applyRun{p: p, v: v, log: newLogger(p, v), known: inPod()}
	format := v.oneOf("format", "text", "json")
	run, err := a.prover()
	if err != nil {
		return err
	}
	parsed, err := a.onePod()
	switch {
	case err != nil:
		return err
	case v.bool("print-config"):
		return printConfig(p.stdout, parsed)
	}
	run.json = format == "json"
	return run.prove(ctx, parsed.Config)
}

// prover is one validation.
type prover struct {
	applyRun
	probe   builder.Port
	wait    time.Duration
	json    bool
	settled bool // the rules have just been applied and read back
}

// prover reads the options of validation.
func (a applyRun) prover() (prover, error) {
	r := prover{applyRun: a, wait: a.v.duration("probe-timeout")}
	text := a.v.text("iptables-probe-port")
	if err := r.probe.UnmarshalText([]byte(text)); err != nil {
		var bad *builder.ValueError
		if !errors.As(err, &bad) {
			return r, err
		}
		a.v.refuse("iptables-probe-port", text, bad.Reason, bad.Accepted)
	}
	return r, nil
}

// prove validates the namespace, prints the report, and leaves the cause of a
// failure where Kubernetes shows it.
func (r prover) prove(ctx context.Context, c builder.Config) error {
	if c.Mode == builder.NoneMode {
		r.log.info("interception mode NONE: there is nothing to validate")
		return nil
	}
	var report validation.Report
	err := inNamespace(r.v, func() (err error) {
		report, err = r.probeHere(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.write(r.p.stdout, report); err != nil {
		return err
	}
	if report.OK() {
		return nil
	}
	r.terminate(report.Termination())
	return exitError(exitInvalid)
}

func (r prover) write(w io.Writer, report validation.Report) error {
	if r.json {
		return report.JSON(w)
	}
	return report.Text(w)
}

// probeHere plans and runs in the calling thread's namespace.
func (r prover) probeHere(ctx context.Context, c builder.Config) (validation.Report, error) {
	look, err := lookAround(ctx)
	if err != nil {
		return validation.Report{}, err
	}
	families, remarks, err := interception.Families(c.Families, look)
	if err != nil {
		return validation.Report{}, err
	}
	for _, remark := range remarks {
		r.log.warn("%s", remark)
	}
	facts, err := validation.Gather(ctx, families, iptables.Port(r.probe), r.v.bool("attach"))
	if err != nil {
		return validation.Report{}, err
	}
	o := validation.Options{Timeout: r.wait, Settled: r.settled}
	if facts.NetAdmin {
		o.Counters = countersOf(families)
	}
	return validation.Run(ctx, c, facts, validation.Plan(c, facts), o)
}

func lookAround(ctx context.Context) (netns.Facts, error) {
	conn, err := netns.Dial()
	if err != nil {
		return netns.Facts{}, err
	}
	defer conn.Close()
	return conn.Look(ctx)
}

// countersOf reads the rules of the iptables backend that holds ours, if one does.
func countersOf(families []iptables.Family) func(context.Context) ([]iptables.Ruleset, error) {
	return func(ctx context.Context) ([]iptables.Ruleset, error) {
		var list []iptables.Ruleset
		for _, backend := range xtables.Present(xtables.Look(ctx, nil)) {
			for _, f := range families {
				if !backend.Has(f) {
					continue
				}
				rules, err := backend.ReadCounted(ctx, f)
				if err != nil {
					return nil, err
				}
				list = append(list, rules)
			}
		}
		return list, nil
	}
}

// terminate writes the cause of a failure to the termination log. The usual
// one is written only if it is there, as in a container of Kubernetes.
func (r prover) terminate(message string) {
	path, flags := r.v.text("termination-log"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC
	named := path != ""
	if !named {
		path, flags = "/dev/termination-log", os.O_WRONLY|os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err == nil {
		_, err = io.WriteString(f, message+"\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil && named {
		r.log.warn("the termination log was not written: %v", err)
	}
}
