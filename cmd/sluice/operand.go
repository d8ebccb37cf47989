package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// operand reads what one of the two arguments names.
func (a applyRun) operand(ctx context.Context, arg string) ([]subject, error) {
	if kind, netns, _ := strings.Cut(arg, ":"); kind == "live" {
		return one(arg)(readLive(ctx, a.log, netns))
	}
	if text, ok := strings.CutPrefix(arg, "flags:"); ok {
		return a.fromFlags(arg, text)
	}
	if arg == "settings" {
		parsed, err := a.config()
		return []subject{built(arg, parsed)}, err
	}
	switch fileKind(arg) {
	case "manifest":
		return a.fromManifests(arg)
	case "settings":
		parsed, err := builder.Parse(a.v.fileInputs(arg), offline())
		return []subject{built(arg, parsed)}, err
	}
	s, err := readDumps(a.p.stdin, items(arg))
	return []subject{s}, err
}

// one wants a single subject: rules in several backends are not one rule set.
// If only one of them holds rules of ours, that is the one.
func one(arg string) func([]subject, error) ([]subject, error) {
	return func(list []subject, err error) ([]subject, error) {
		if ours := slices.DeleteFunc(slices.Clone(list), func(s subject) bool { return !s.ours() }); len(ours) == 1 {
			return ours, err
		}
		if len(list) > 1 {
			var titles []string
			for _, s := range list {
				titles = append(titles, s.title)
			}
			return nil, fmt.Errorf("%s has rules in several backends, which cannot be compared as one: %s", arg, strings.Join(titles, "; "))
		}
		return list, err
	}
}

func (s subject) ours() bool {
	return slices.ContainsFunc(s.rules, func(rs iptables.Ruleset) bool { return !rs.Own().Empty() })
}

// fromFlags parses settings that are given as one argument.
func (a applyRun) fromFlags(title, text string) ([]subject, error) {
	words, err := iptables.SplitWords(strings.ReplaceAll(text, "'", `"`))
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", title, err)}
	}
	c := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
	v := bind(c, program{env: func(string) (string, bool) { return "", false }}, settingOptions())
	if err := c.ParseFlags(words); err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", title, err)}
	}
	if rest := c.Flags().Args(); len(rest) > 0 {
		return nil, &usageError{fmt.Errorf("%s: unexpected %q", title, rest[0])}
	}
	parsed, err := builder.Parse(v.inputs(), offline())
	a.log.warnings(parsed.Warnings)
	return []subject{built(title, parsed)}, err
}

// fileKind tells manifests, configuration files and saved rules apart.
func fileKind(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "rules"
	}
	if info.IsDir() {
		if saved, _ := filepath.Glob(filepath.Join(path, "v[46].rules")); len(saved) > 0 {
			return "rules"
		}
		return "manifest"
	}
	if !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
		return "rules"
	}
	text, err := os.ReadFile(path)
	var head struct {
		Kind *string `yaml:"kind"`
	}
	if err == nil && yaml.Unmarshal(text, &head) == nil && head.Kind == nil {
		return "settings"
	}
	return "manifest"
}
