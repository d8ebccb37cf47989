package main

import (
	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/doctor"
)

func doctorCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Say what this machine and namespace can do, and what to do about the rest",
		Long: `Looks at capabilities, backends, IPv6, locks and what may be in the way, and
changes nothing: each backend is tried out in a network namespace of its own.
Exit code 0: rules can be programmed. 69: no backend works. 77: NET_ADMIN is missing.`,
		Args: noWords,
	}
	v := bind(c, p, []option{{flag: "format", fallback: "text", help: "text or json"}}, namespaceOptions())
	c.RunE = func(c *cobra.Command, _ []string) error {
		format := v.oneOf("format", "text", "json")
		if v.booleans(); len(v.problems) > 0 {
			return v.problems
		}
		var report doctor.Report
		err := inNamespace(v, func() error {
			report = doctor.Look(c.Context(), live(v, logger{}))
			return nil
		})
		if err != nil {
			return err
		}
		return printDoctor(p, report, format)
	}
	return c
}

func printDoctor(p program, report doctor.Report, format string) error {
	var err error
	if format == "json" {
		err = printJSON(p.stdout, report)
	} else {
		err = report.Print(p.stdout)
	}
	switch {
	case err != nil:
		return err
	case !report.MayProgram:
		return exitError(exitNoRights)
	case len(report.Backends) == 0:
		return exitError(exitNoBackend)
	}
	return nil
}
