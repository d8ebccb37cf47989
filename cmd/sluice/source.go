package main

import (
	"errors"
	"fmt"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/decide"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/iptables"
)

// subject is one thing that rules are known of: the settings of the command,
// a workload of a manifest, a dump, or a living namespace.
type subject struct {
	title string // "" for the command's own settings
	note  string // what else is to be known about it
	// left is why a workload is left alone; it has no rules then.
	left string
	// parsed is what the rules were made of; nil if that is not known.
	parsed *builder.Parsed
	rules  []iptables.Ruleset
	place  *explain.Place // of living rules, as it bears on what is asked
}

func (s subject) config() *builder.Config {
	if s.parsed == nil {
		return nil
	}
	return &s.parsed.Config
}

// built is a subject of settings.
func built(title string, parsed builder.Parsed) subject {
	s := subject{title: title, parsed: &parsed}
	for _, f := range dryFamilies(parsed.Config) {
		s.rules = append(s.rules, builder.Build(parsed.Config, f))
	}
	return s
}

const assumedMark = "assumed: not injected"

// fromManifests are the workloads of the manifests that -f names, in their
// order. Flags count more than what a manifest says, a configuration file less.
func (a applyRun) fromManifests(path string) ([]subject, error) {
	workloads, err := readManifests(a.p.stdin, path)
	errs := appendErrors(nil, err)
	a.v.noEnv = true
	lowest, flags := a.v.configFile(), a.v.inputs()
	if len(a.v.problems) > 0 {
		return nil, a.v.problems
	}
	var list []subject
	for _, w := range workloads {
		s, found, err := a.fromWorkload(w, lowest, flags)
		if errs = appendErrors(errs, err); found {
			list = append(list, s)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return list, nil
}

// fromWorkload decides about a workload as the CNI plugin does. found is false
// for one that is left out.
func (a applyRun) fromWorkload(w workload, lowest, flags []builder.Input) (s subject, found bool, err error) {
	pod, assumed := injected(w.pod)
	if assumed && a.v.bool("injected-only") {
		return s, false, nil
	}
	s.title = fmt.Sprintf("%s: %s", w.file, w)
	d := decide.Decide(decide.Facts{
		Args:  netconf.Args{Namespace: orDefault(pod.Namespace), Name: w.kind + "/" + pod.Name},
		Asked: true, Pod: &pod, Config: netconf.Config{Settings: lowest},
	})
	switch {
	case w.pod.HostNetwork:
		s.left = "left alone: it uses the host's network"
		return s, true, nil
	case d.Outcome == decide.Fail:
		return s, false, w.errors(d.Errs)
	case d.Outcome != decide.Program:
		s.left = "left alone: " + d.Detail
		return s, true, nil
	case assumed:
		s.title += " (" + assumedMark + ")"
	}
	for _, warning := range d.Warnings {
		a.log.warn("%s: %s", w.place(), warning.Text)
	}
	parsed, err := builder.Parse(append(d.Inputs, flags...), offline())
	if err != nil {
		return s, false, w.errors([]error{err})
	}
	return built(s.title, parsed), true, nil
}

// injected is a pod as the mesh's injector leaves it. A pod that has no proxy
// yet gets one with the defaults. Whoever installs the rules inside the pod,
// they are the ones that its annotations ask for.
func injected(pod podapi.Pod) (_ podapi.Pod, assumed bool) {
	var inits []podapi.Container
	for _, c := range pod.InitContainers {
		if c.Name != podsettings.InitContainer {
			inits = append(inits, c)
		}
	}
	pod.InitContainers = inits
	if _, ok := podsettings.Container(pod, podapi.ProxyName); !ok {
		assumed = true
		pod.Containers = append(append([]podapi.Container{}, pod.Containers...), podapi.Container{Name: podapi.ProxyName})
	}
	annotations := map[string]string{podapi.StatusAnnotation: "{}"}
	for k, v := range pod.Annotations {
		annotations[k] = v
	}
	pod.Annotations = annotations
	return pod, assumed
}

func orDefault(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}

// errors gives the workload's place to what is wrong with it.
func (w workload) errors(errs []error) manifestErrors {
	var list manifestErrors
	for _, err := range errs {
		var problems builder.Problems
		if !errors.As(err, &problems) {
			list = append(list, &manifestError{w.place(), err})
			continue
		}
		for _, p := range problems {
			list = append(list, &manifestError{w.place(), p})
		}
	}
	return list
}

// annotationOf is the annotation by which a pod states a setting.
func annotationOf(flag string) string {
	for _, n := range podsettings.Names() {
		if n.Flag == flag && len(n.Annotations) > 0 {
			return n.Annotations[0]
		}
	}
	return ""
}
