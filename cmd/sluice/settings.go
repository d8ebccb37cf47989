package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/internal/kernfile"
)

// sourceOptions say where settings come from besides flags and environment.
func sourceOptions() []option {
	return []option{
		{flag: "config", help: "file of settings, YAML or JSON; environment and flags count more"},
		{flag: "filename", short: "f", once: true, help: "manifest of pods or what makes pods: a file, a directory, or - for stdin; the environment is not read then"},
		{flag: "injected-only", boolean: true, help: "with filename: leave out workloads that the mesh has not injected yet"},
		{flag: "print-config", boolean: true, help: "show every setting as it counts, with its origin, and do nothing"},
	}
}

// offline is what a run knows that may look nothing up.
func offline() builder.Options { return builder.Options{ReadFile: readSmallFile} }

// inPod is what a run knows that stands in the pod it programs.
func inPod() builder.Options {
	return builder.Options{
		ReadFile:    readSmallFile,
		ResolvConf:  "/etc/resolv.conf",
		LookUpUser:  lookUpUser,
		LookUpGroup: lookUpGroup,
	}
}

const mostBytes = 1 << 20 // of a file that a setting names

func readSmallFile(path string) (string, error) {
	data, err := kernfile.Read(path, mostBytes+1)
	if err == nil && len(data) > mostBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, mostBytes)
	}
	return string(data), err
}

func id(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}

// proxyUser is what proxy-uid is where the tool runs and nobody says: the uid of
// the user that ENVOY_USER names, which counts more than a file, else of
// istio-proxy. No such user: no setting.
func proxyUser(v *values, o builder.Options, file, given []builder.Input) []builder.Input {
	name, set := v.env("ENVOY_USER")
	set = set && name != ""
	origin := "environment ENVOY_USER=" + name
	switch {
	case o.LookUpUser == nil || v.noEnv, saysProxyUID(given), !set && saysProxyUID(file):
		return nil
	case !set:
		name, origin = "istio-proxy", "user istio-proxy"
	}
	uid, err := o.LookUpUser(name)
	if err != nil {
		if set {
			v.notes = append(v.notes, fmt.Sprintf("environment ENVOY_USER=%q ignored: no such user here", name))
		}
		return nil
	}
	return []builder.Input{{Flag: "proxy-uid", Value: strconv.FormatUint(uint64(uid), 10), Origin: origin}}
}

func saysProxyUID(inputs []builder.Input) bool {
	return slices.ContainsFunc(inputs, func(in builder.Input) bool {
		return in.Flag == "proxy-uid" && strings.TrimSpace(in.Value) != ""
	})
}

// settings parses the policy's settings of a command. All problems, those of
// the command's other options included, are reported together.
func settings(v *values, o builder.Options) (builder.Parsed, error) {
	v.booleans()
	file, given := v.configFile(), v.inputs()
	inputs := slices.Concat(file, proxyUser(v, o, file, given), given)
	parsed, err := builder.Parse(inputs, o)
	var bad builder.Problems
	if err != nil && !errors.As(err, &bad) {
		return parsed, err
	}
	if all := append(bad, v.problems...); len(all) > 0 {
		return parsed, all
	}
	return parsed, nil
}

// printConfig shows every setting with its origin.
func printConfig(w io.Writer, parsed builder.Parsed) error {
	for _, e := range parsed.Settings() {
		if _, err := fmt.Fprintf(w, "%-36s %-40q %s\n", e.Flag, e.Value, e.Origin); err != nil {
			return err
		}
	}
	return nil
}
