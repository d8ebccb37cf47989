package main

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
)

// workloadPlan is the plan of one workload of a manifest, as data.
type workloadPlan struct {
	Workload  string `json:"workload" yaml:"workload"`
	LeftAlone string `json:"leftAlone,omitempty" yaml:"leftAlone,omitempty"` // why
	Plan      *plan  `json:"plan,omitempty" yaml:"plan,omitempty"`
}

// printManifests is a dry run of every workload of the manifests, one block each.
func (a applyRun) printManifests(path, format string) error {
	list, err := a.fromManifests(path)
	if err != nil {
		return err
	}
	if dir := a.v.text("output-dir"); dir != "" && len(list) > 1 {
		return &usageError{fmt.Errorf("flag --output-dir holds the rules of one pod, and %s describes %d", path, len(list))}
	}
	if format == "json" || format == "yaml" {
		return a.printPlans(list, format)
	}
	blank := ""
	for _, s := range list {
		if _, err := fmt.Fprintf(a.p.stdout, "%s# %s\n", blank, s.title); err != nil {
			return err
		}
		blank = "\n"
		if err := a.printSubject(s, format); err != nil {
			return err
		}
	}
	return nil
}

func (a applyRun) printSubject(s subject, format string) error {
	switch {
	case s.left != "":
		_, err := fmt.Fprintf(a.p.stdout, "# %s\n", s.left)
		return err
	case a.v.bool("print-config"):
		return printConfig(a.p.stdout, *s.parsed)
	}
	return dryRun(a.p.stdout, *s.parsed, format, a.v.text("output-dir"))
}

func (a applyRun) printPlans(list []subject, format string) error {
	plans := []workloadPlan{}
	for _, s := range list {
		w := workloadPlan{Workload: s.title, LeftAlone: s.left}
		if s.parsed != nil {
			p := planOf(*s.parsed, interception.WantOf(s.parsed.Config, dryFamilies(s.parsed.Config)...))
			w.Plan = &p
		}
		plans = append(plans, w)
	}
	if format == "json" {
		return printJSON(a.p.stdout, plans)
	}
	return yaml.NewEncoder(a.p.stdout).Encode(plans)
}

// onePod is the settings of the pod that a manifest describes, or without one
// those of the command.
func (a applyRun) onePod() (builder.Parsed, error) {
	path := a.v.text("filename")
	if path == "" {
		return a.config()
	}
	list, err := a.fromManifests(path)
	switch {
	case err != nil:
		return builder.Parsed{}, err
	case len(list) != 1:
		return builder.Parsed{}, &usageError{fmt.Errorf("%s describes %d workloads; a namespace is that of one pod", path, len(list))}
	case list[0].parsed == nil:
		return builder.Parsed{}, &usageError{fmt.Errorf("%s: %s", list[0].title, list[0].left)}
	}
	return *list[0].parsed, nil
}
