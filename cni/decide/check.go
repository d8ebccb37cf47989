package decide

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// plan is what would be programmed, or all that is wrong with it.
type plan struct {
	inputs     []builder.Input
	parsed     builder.Parsed
	configErrs []error // the network config's
	argsErrs   []error // SLUICE_CONFIG's
	podErrs    []error // the pod's
}

// podPlan are the node's settings, overridden by the pod's.
func podPlan(f *Facts) plan {
	sets, errs := podsettings.Of(*f.Pod)
	p := parse(slices.Concat(f.Config.Settings, sets))
	p.podErrs = append(errs, p.podErrs...)
	if f.Config.Strict {
		p.podErrs = append(p.podErrs, bypassing(*f.Pod)...)
	}
	return p
}

// staticPlan are the network config's settings, overridden by the container's own.
func staticPlan(f *Facts) plan {
	own, errs := containersOwn(f)
	p := parse(slices.Concat(f.Config.Settings, f.Config.Static, own))
	p.argsErrs = append(errs, p.argsErrs...)
	return p
}

// containersOwn are the settings of SLUICE_CONFIG.
func containersOwn(f *Facts) ([]builder.Input, []error) {
	switch {
	case !f.Args.HasConfig:
		return nil, nil
	case !f.Config.AllowArgs:
		return nil, []error{errors.New("CNI_ARGS holds " + netconf.SluiceConfig + ", which the network config does not allow (allow_args is false)")}
	}
	return f.Args.Settings()
}

// parse has nothing looked up: neither users nor files are the pod's here.
func parse(inputs []builder.Input) plan {
	parsed, err := builder.Parse(inputs, builder.Options{})
	p := plan{inputs: inputs, parsed: parsed}
	var problems builder.Problems
	if !errors.As(err, &problems) {
		return p
	}
	for _, problem := range problems {
		switch {
		case strings.HasPrefix(problem.Origin, netconf.Origin):
			p.configErrs = append(p.configErrs, problem)
		case strings.HasPrefix(problem.Origin, netconf.ArgsOrigin):
			p.argsErrs = append(p.argsErrs, problem)
		default:
			p.podErrs = append(p.podErrs, problem)
		}
	}
	return p
}

func bypassing(p podapi.Pod) []error {
	var errs []error
	for _, w := range podsettings.Warnings(p) {
		if w.Kind == podsettings.BypassesProxy {
			errs = append(errs, errors.New(w.Text+" (the network config is strict)"))
		}
	}
	return errs
}

// badStaticArgs are the errors of SLUICE_CONFIG. It counts only without
// Kubernetes, where nobody but the runtime's operator sets CNI_ARGS, and under
// a network config that can be read, which says whether it is allowed.
func badStaticArgs(f *Facts) []error {
	if f.ConfigErr != nil || !notKubernetes(f) {
		return nil
	}
	return staticPlan(f).argsErrs
}

func staticConfigErrs(f *Facts) []error {
	p := staticPlan(f)
	return slices.Concat(f.Config.Problems, p.configErrs, p.podErrs)
}

func podConfigErrs(f *Facts) []error { return slices.Concat(f.Config.Problems, podPlan(f).configErrs) }

func invalidStatic(f *Facts) bool { return static(f) && len(staticConfigErrs(f)) > 0 }

func staticNone(f *Facts) bool {
	return static(f) && staticPlan(f).parsed.Config.Mode == builder.NoneMode
}

func invalid(f *Facts) bool   { return len(podPlan(f).podErrs) > 0 }
func badConfig(f *Facts) bool { return len(podConfigErrs(f)) > 0 }
