package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/diff"
	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/iptables"
)

func diffCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "diff A B [flags]",
		Short: "Find every packet that two rule sets treat differently, or prove that there is none",
		Long: `A and B are each one of

  PATH        a manifest, a configuration file, or saved rules of any tool; a
              directory of manifests, or one with v4.rules and v6.rules; - is stdin
  PATH,PATH   saved rules of both families
  flags:TEXT  settings as flags of apply, such as 'flags:-b * -i *'
  settings    the settings that stand behind, as flags and in --config
  live        the rules of this namespace; live:NETNS of another

The comparison is exact: no packet is sampled. Workloads of two manifests are
compared by their names. A family of which saved rules hold nothing is not
compared, and the answer says so: save both, or give --ip-families. Exit code 0:
equivalent, in what is compared. 2: different.`,
		Example: `  sluice diff main/deploy.yaml deploy.yaml
  sluice diff live:web settings -b '*' -i '*'
  sluice diff 'flags:-b * -i *' istio.rules`,
		Args: twoOperands,
	}
	own := []option{
		{flag: "own", boolean: true, help: "look at the mesh's chains and the jumps into them only, not at the rules of others"},
		{flag: "all", boolean: true, help: "list also the differences in marks, conntrack zones and later packets, however many"},
		{flag: "format", fallback: "text", help: "text or json"},
	}
	v := bind(c, p, own, settingOptions(), sourceOptions(), logOptions())
	c.RunE = func(c *cobra.Command, args []string) error { return runDiff(c.Context(), p, v, args) }
	return c
}

// pair is two subjects that are compared, and what came of it.
type pair struct {
	Was     string        `json:"was"`
	Now     string        `json:"now"`
	Note    string        `json:"note,omitempty"` // what cannot be compared
	Results []diff.Result `json:"families,omitempty"`
}

func (p pair) differ() bool {
	return slices.ContainsFunc(p.Results, func(r diff.Result) bool { return !r.Equivalent() })
}

func runDiff(ctx context.Context, p program, v *values, args []string) error {
	a := applyRun{p: p, v: v, log: newLogger(p, v), known: offline()}
	format := v.oneOf("format", "text", "json")
	was, err := a.operand(ctx, args[0])
	if err != nil {
		return err
	}
	now, err := a.operand(ctx, args[1])
	if err != nil {
		return err
	}
	if !slices.Contains(args, "settings") {
		v.refuseSettings("is a setting, and nothing here is made of settings", "with 'settings' as A or B")
	}
	if v.booleans(); len(v.problems) > 0 {
		return v.problems
	}
	pairs, err := compareAll(was, now, v.bool("own"))
	if err != nil {
		return err
	}
	if format == "json" {
		err = printJSON(p.stdout, pairs)
	} else {
		_, err = io.WriteString(p.stdout, pairsText(pairs, v.bool("all")))
	}
	if err == nil && slices.ContainsFunc(pairs, pair.differ) {
		return exitError(exitDifferent)
	}
	return err
}

// compareAll compares subjects pairwise: two alone whatever their names,
// workloads of manifests by name.
func compareAll(was, now []subject, own bool) ([]pair, error) {
	if len(was) == 1 && len(now) == 1 {
		p, err := comparePair(was[0], now[0], own)
		return []pair{p}, err
	}
	if len(was) == 1 && !inManifest(was[0]) || len(now) == 1 && !inManifest(now[0]) {
		return compareWithEach(was, now, own)
	}
	var pairs []pair
	for _, name := range workloadNames(was, now) {
		a, b := named(was, name), named(now, name)
		p, err := comparePair(a, b, own)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// compareWithEach compares one subject with every one of the other side.
func compareWithEach(was, now []subject, own bool) ([]pair, error) {
	var pairs []pair
	for _, a := range was {
		for _, b := range now {
			p, err := comparePair(a, b, own)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}

func inManifest(s subject) bool { return strings.Contains(s.title, ": ") }

// workload is a subject's name without the file and what was assumed.
func (s subject) workload() string {
	_, name, _ := strings.Cut(s.title, ": ")
	return strings.TrimSuffix(name, " ("+assumedMark+")")
}

func workloadNames(sides ...[]subject) []string {
	var names []string
	for _, side := range sides {
		for _, s := range side {
			if !slices.Contains(names, s.workload()) {
				names = append(names, s.workload())
			}
		}
	}
	return names
}

// named finds a workload; one that is not there has no rules.
func named(list []subject, name string) subject {
	for _, s := range list {
		if s.workload() == name {
			return s
		}
	}
	return subject{title: name, left: "not there"}
}

func comparePair(was, now subject, own bool) (pair, error) {
	p := pair{Was: was.title, Now: now.title, Note: pairNote(was, now)}
	for _, f := range commonFamilies(was, now) {
		r, err := diff.Compare(side(was, f, own), side(now, f, own))
		if err != nil {
			return p, err
		}
		p.Results = append(p.Results, r)
	}
	if len(p.Results) == 0 && p.Note == "" {
		return p, errors.New("the two sides have no family in common: " + was.title + ", " + now.title)
	}
	return p, nil
}

// pairNote says what cannot be compared.
func pairNote(was, now subject) string {
	var notes []string
	if was.left == now.left && was.left != "" {
		return "on both sides " + was.left
	}
	for _, s := range []subject{was, now} {
		if s.note != "" {
			notes = append(notes, s.title+": "+s.note)
		}
		if s.left != "" {
			notes = append(notes, s.title+": "+s.left)
		}
		for _, f := range iptables.Families() {
			if !s.knows(f) {
				notes = append(notes, f.String()+" is not compared: "+s.title+" holds no rules for it")
			}
		}
	}
	return strings.Join(notes, "; ")
}

// commonFamilies: a workload that is left alone has no rules of either; of a
// dump only the families that it holds are known.
func commonFamilies(was, now subject) []iptables.Family {
	var list []iptables.Family
	for _, f := range iptables.Families() {
		if was.knows(f) && now.knows(f) && !(was.left != "" && now.left != "") {
			list = append(list, f)
		}
	}
	return list
}

// knows says whether the rules of a family are known. Settings that leave a
// family out know it: it has none.
func (s subject) knows(f iptables.Family) bool {
	return s.left != "" || s.parsed != nil || slices.ContainsFunc(s.rules, func(rs iptables.Ruleset) bool { return rs.Family == f })
}

func side(s subject, f iptables.Family, own bool) diff.Side {
	rules := iptables.Ruleset{Family: f}
	for _, rs := range s.rules {
		if rs.Family == f {
			rules = rs
		}
	}
	if own {
		rules = rules.Own()
	}
	names := map[iptables.Port]string{}
	for port, role := range explain.Roles(rules, s.config()) {
		names[port] = string(role)
	}
	return diff.Side{Rules: rules, Names: names}
}
