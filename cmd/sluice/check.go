package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/interception"
)

func checkCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "check [flags]",
		Short: "Compare the live namespace with the wanted rules, order included",
		Long: `Reads the rules, routes and addresses of the namespace and compares them with
what the settings want. Exit code 0: the same. 2: drift, listed on stdout.`,
		Args: noWords,
	}
	v := bind(c, p, settingOptions(), sourceOptions(), namespaceOptions(), logOptions())
	c.RunE = func(c *cobra.Command, _ []string) error { return runCheck(c.Context(), p, v) }
	return c
}

func runCheck(ctx context.Context, p program, v *values) error {
	a := applyRun{p: p, v: v, log: newLogger(p, v), known: inPod()}
	parsed, err := a.onePod()
	switch {
	case err != nil:
		return err
	case v.bool("print-config"):
		return printConfig(p.stdout, parsed)
	}
	a.capturesSomething(parsed)
	var diffs []string
	err = inNamespace(v, func() error {
		found, report, err := interception.Check(ctx, parsed.Config, live(v, a.log))
		for _, r := range report.Remarks {
			a.log.warn("%s", r)
		}
		diffs = found
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range diffs {
		if _, err := fmt.Fprintln(p.stdout, d); err != nil {
			return err
		}
	}
	if len(diffs) > 0 {
		return exitError(exitDifferent)
	}
	a.log.info("no drift: the namespace is as wanted")
	return nil
}

func cleanCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "clean [flags]",
		Short: "Remove everything that is ours, in every backend, whatever the settings were",
		Long: `Removes the mesh's chains and the jumps into them from all iptables flavours, the
table inet sluice, routes and routing rules of protocol 201, and ::6 on lo, and
verifies it by reading back. What others have made stays, and so do the empty
tables that iptables makes for everybody. Exit code 0: gone, or nothing was there.`,
		Args: noWords,
	}
	v := bind(c, p, namespaceOptions(), logOptions())
	c.RunE = func(c *cobra.Command, _ []string) error { return runClean(c.Context(), p, v) }
	return c
}

func runClean(ctx context.Context, p program, v *values) error {
	log := newLogger(p, v)
	if v.booleans(); len(v.problems) > 0 {
		return v.problems
	}
	return inNamespace(v, func() error {
		report, err := interception.Clean(ctx, live(v, log))
		if err != nil {
			return err
		}
		log.report("cleaned", "nothing of ours is there", report)
		return nil
	})
}
