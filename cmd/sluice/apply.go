package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/netns"
)

// applyOptions are what apply accepts besides the policy's settings.
func applyOptions() []option {
	return []option{
		{flag: "dry-run", short: "n", env: []string{"DRY_RUN"}, boolean: true, help: "print the rules and touch nothing"},
		{flag: "format", fallback: "iptables", help: "of a dry run: " + strings.Join(formats(), ", ")},
		{flag: "output-dir", help: "write a dry run's rules to v4.rules and v6.rules in this directory"},
		{flag: "skip-rule-apply", env: []string{"SKIP_RULE_APPLY"}, boolean: true, help: "do not program anything (with run-validation: only validate)"},
		{flag: "run-validation", env: []string{"RUN_VALIDATION"}, boolean: true, help: "prove afterwards that interception works, as sluice validate does"},
		{flag: "timeout", env: []string{"SLUICE_TIMEOUT"}, fallback: "30s", help: "give up, and undo, after this time"},
	}
}

// namespaceOptions say which network namespace is meant.
func namespaceOptions() []option {
	return []option{
		{flag: "netns", help: "network namespace: a path, a name of ip netns, or a process id"},
		{flag: "network-namespace", env: []string{"NETWORK_NAMESPACE"}, help: "the same as netns", hidden: true},
		{flag: "program-path", env: []string{"SLUICE_PROGRAM_PATH"}, help: "directories in which iptables' programs are looked for, as in PATH"},
		{flag: "allow-host-netns", env: []string{"SLUICE_ALLOW_HOST_NETNS"}, boolean: true, help: "with netns: allow the namespace that this process was started in"},
	}
}

// compatibleOptions are accepted because the mesh's tool has them. What they
// ask for is always done, or done by a command of its own.
func compatibleOptions() []option {
	return []option{
		{flag: "reconcile", env: []string{"RECONCILE"}, boolean: true, hidden: true, help: "accepted: differences are always reconciled"},
		{flag: "force-apply", env: []string{"FORCE_APPLY"}, boolean: true, hidden: true, help: "accepted: rules are always brought to what is wanted"},
		{flag: "cni-mode", env: []string{"CNI_MODE"}, boolean: true, hidden: true, help: "accepted: look no user up"},
		{flag: "cleanup-only", env: []string{"CLEANUP_ONLY"}, boolean: true, hidden: true, help: "the same as sluice clean"},
		{flag: "host-filesystem-pod-network", env: []string{"HOST_FILESYSTEM_POD_NETWORK"}, boolean: true, hidden: true, help: "accepted: programs are always looked for here"},
	}
}

func applyCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:     "apply [flags]",
		Aliases: []string{"istio-iptables"},
		Args:    spareWords,
		Short:   "Program the rules, verify them; with --dry-run print them instead",
		Long: `Builds the interception rules from flags, environment and files, loads them in
one go (nf_tables: one transaction; iptables: one restore for each family), and
verifies them by reading back. Rules that are there already are left as they
are. If anything fails, what was there before is put back.

The mesh calls this command istio-iptables, which is another name for it.`,
		Example: `  sluice istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -x '' -b '*' -d 15090,15021,15020
  sluice apply --dry-run -i '*' -b '*'`,
	}
	v := bind(c, p, settingOptions(), applyOptions(), probeOptions(), sourceOptions(), namespaceOptions(), compatibleOptions(), logOptions())
	c.RunE = func(c *cobra.Command, words []string) error { return runApply(c.Context(), p, v, words) }
	return c
}

func runApply(ctx context.Context, p program, v *values, words []string) error {
	log := newLogger(p, v)
	if len(words) > 0 {
		log.warn("ignored on the command line: %s", strings.Join(words, " "))
	}
	a := applyRun{p: p, v: v, log: log, timeout: v.duration("timeout")}
	dry := v.bool("dry-run")
	a.known = offline()
	if !dry && !v.bool("cni-mode") {
		a.known = inPod()
	}
	switch {
	case dry || v.bool("print-config"):
		return a.print()
	case v.text("output-dir") != "":
		return &usageError{errors.New("flag --output-dir is where a dry run's rules go: add --dry-run")}
	case v.bool("cleanup-only"):
		log.debug("cleanup-only: doing what sluice clean does")
		return runClean(ctx, p, v)
	case v.text("filename") != "":
		return &usageError{errors.New("flag -f describes pods that are not here: add --dry-run to print their rules")}
	}
	return a.apply(ctx)
}

// applyRun is one run of apply.
type applyRun struct {
	p       program
	v       *values
	log     logger
	known   builder.Options
	timeout time.Duration
}

// config parses the settings and says what is worth a warning.
func (a applyRun) config() (builder.Parsed, error) {
	parsed, err := settings(a.v, a.known)
	for _, n := range a.v.notes {
		a.log.warn("%s", n)
	}
	a.log.warnings(parsed.Warnings)
	return parsed, err
}

// print is a dry run.
func (a applyRun) print() error {
	format := a.v.oneOf("format", formats()...)
	if _, err := a.prover(); err != nil {
		return err
	}
	if path := a.v.text("filename"); path != "" {
		return a.printManifests(path, format)
	}
	parsed, err := a.config()
	switch {
	case err != nil:
		return err
	case a.v.bool("print-config"):
		return printConfig(a.p.stdout, parsed)
	}
	if a.v.bool("cleanup-only") {
		a.log.info("cleanup-only: this run would remove what is ours, whatever the settings; sluice check -m NONE lists it")
		return nil
	}
	if parsed.Config.Mode == builder.NoneMode {
		a.log.info("interception mode NONE: nothing of ours is programmed")
	}
	if dryWant(parsed.Config).AsksSets() {
		a.log.info("long lists of CIDRs and ports are printed as rules one after the other; where the kernel has ipset, apply asks a set instead, which decides alike")
	}
	return dryRun(a.p.stdout, parsed, format, a.v.text("output-dir"))
}

// apply programs the namespace, and proves that it works if that was asked for.
func (a applyRun) apply(ctx context.Context) error {
	skip, prove := a.v.bool("skip-rule-apply"), a.v.bool("run-validation")
	proof, err := a.prover()
	if err != nil {
		return err
	}
	parsed, err := a.config()
	if err != nil {
		return err
	}
	a.log.settings(parsed.Settings())
	if parsed.Config.Mode == builder.NoneMode {
		a.log.info("interception mode NONE: nothing of ours is programmed")
	}
	if skip {
		a.log.info("skip-rule-apply: no rules programmed")
	} else if err := a.program(ctx, parsed.Config); err != nil {
		return err
	}
	if !prove {
		return nil
	}
	proof.settled = !skip
	return proof.prove(ctx, parsed.Config)
}

func (a applyRun) program(ctx context.Context, c builder.Config) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	var report interception.Report
	err := inNamespace(a.v, func() (err error) {
		report, err = interception.Apply(ctx, c, live(a.v, a.log))
		return err
	})
	if err == nil {
		verb := "applied"
		if c.Mode == builder.NoneMode {
			verb = "removed"
		}
		a.log.report(verb, "the namespace is as wanted", report)
	}
	return err
}

// report is the handful of lines that a run says when all is well: verb is what
// was done, settled how it was already if there was nothing to do.
func (l logger) report(verb, settled string, r interception.Report) {
	for _, remark := range r.Remarks {
		l.warn("%s", remark)
	}
	if r.Backend != "" {
		l.info("backend %s: %s", r.Backend, strings.Join(r.Why, "; "))
	}
	for _, c := range r.Changed {
		l.debug("%s", c)
	}
	took := r.Took.Round(100 * time.Microsecond)
	if len(r.Changed) == 0 {
		l.info("nothing to do: %s (%s)", settled, took)
		return
	}
	l.info("%s and verified%s in %s", verb, families(r), took)
}

func families(r interception.Report) string {
	var names []string
	for _, f := range r.Families {
		names = append(names, f.String())
	}
	if len(names) == 0 {
		return ""
	}
	return " for " + strings.Join(names, " and ")
}

// live is how a command works on a namespace.
func live(v *values, log logger) interception.Options {
	o := interception.Options{Debug: log.debug}
	if path := v.text("program-path"); path != "" {
		o.Path = filepath.SplitList(path)
	}
	return o
}

// inNamespace runs do in the namespace that the options name. The one that
// this process was started in is refused if it was named, for a slip of the
// hand there captures the host; without a name it is the pod's own.
func inNamespace(v *values, do func() error) error {
	return enter(v.namespace(), v.bool("allow-host-netns"), do)
}

func enter(name string, allowOwn bool, do func() error) error {
	if name == "" {
		return do() // every thread is still where the process was started
	}
	target, err := netns.ParseTarget(name)
	if err != nil {
		return &usageError{fmt.Errorf("flag --netns: %w", err)}
	}
	ns, err := netns.Open(target)
	if err != nil {
		return err
	}
	defer ns.Close()
	if !allowOwn {
		if err := ns.RefuseOwn(); err != nil {
			return fmt.Errorf("%w; --allow-host-netns lifts this", err)
		}
	}
	return ns.Do(do)
}
