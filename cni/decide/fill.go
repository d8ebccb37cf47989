package decide

import (
	"errors"
	"slices"

	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// CNI error codes that a decision can end in. Those below 100 are the CNI
// specification's.
const (
	CodeArgs     uint = 4   // CNI_ARGS, or the environment, is bad
	CodeConfig   uint = 7   // the network config is bad
	CodeTryAgain uint = 11  // the runtime should try again later
	CodeSettings uint = 101 // the pod's settings are bad
)

func failArgs(f *Facts, d *Decision) {
	d.Code, d.Errs = CodeArgs, append(badStaticArgs(f), nonNil(f.ArgsErr)...)
}

func failConfig(f *Facts, d *Decision) { d.Code, d.Errs = CodeConfig, nonNil(f.ConfigErr) }

func failUnknown(f *Facts, d *Decision) {
	d.Code, d.Errs = CodeTryAgain, nonNil(f.PodErr)
}

// badStaticArgs are the errors of SLUICE_CONFIG. It counts only without
// Kubernetes, where nobody but the runtime's operator sets CNI_ARGS.
func badStaticArgs(f *Facts) []error {
	if f.ArgsErr != nil || !f.Args.HasConfig || !notKubernetes(f) || f.ConfigErr != nil {
		return nil
	}
	if !f.Config.AllowArgs {
		return []error{errors.New("CNI_ARGS holds " + netconf.SluiceConfig + ", which the network config does not allow (allow_args is false)")}
	}
	_, errs := f.Args.Settings()
	return errs
}

// staticSettings are the network config's, overridden by the container's own.
func staticSettings(f *Facts) []podsettings.Setting {
	out := slices.Concat(f.Config.Settings, f.Config.Static)
	if f.Args.HasConfig {
		own, _ := f.Args.Settings()
		out = append(out, own...)
	}
	return lastPerFlag(out)
}

// podSettings are the node's, overridden by the pod's.
func podSettings(f *Facts) ([]podsettings.Setting, []error) {
	sets, errs := podsettings.Of(*f.Pod)
	return lastPerFlag(append(slices.Clone(f.Config.Settings), sets...)), errs
}

// lastPerFlag keeps the last setting of each flag, in the order of these.
func lastPerFlag(in []podsettings.Setting) []podsettings.Setting {
	var out []podsettings.Setting
	for i, s := range in {
		later := func(l podsettings.Setting) bool { return l.Flag == s.Flag }
		if !slices.ContainsFunc(in[i+1:], later) {
			out = append(out, s)
		}
	}
	return out
}

func useStatic(f *Facts, d *Decision) { d.Settings = staticSettings(f) }

func usePod(f *Facts, d *Decision) {
	d.Settings, _ = podSettings(f)
	d.Warnings = podsettings.Warnings(*f.Pod)
}

func nonNil(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}
