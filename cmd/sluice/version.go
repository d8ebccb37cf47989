package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func versionCommand(p program) *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version", Args: noWords}
	v := bind(c, p, []option{{flag: "format", fallback: "text", help: "text or json"}})
	c.RunE = func(*cobra.Command, []string) error {
		format := v.oneOf("format", "text", "json")
		if len(v.problems) > 0 {
			return v.problems
		}
		platform := runtime.GOOS + "/" + runtime.GOARCH
		if format == "json" {
			return json.NewEncoder(p.stdout).Encode(map[string]string{"version": version, "go": runtime.Version(), "platform": platform})
		}
		_, err := fmt.Fprintf(p.stdout, "sluice %s (%s, %s)\n", version, runtime.Version(), platform)
		return err
	}
	return c
}
