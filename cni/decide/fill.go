package decide

import (
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

func failUnknown(f *Facts, d *Decision) { d.Code, d.Errs = CodeTryAgain, nonNil(f.PodErr) }

func failSettings(f *Facts, d *Decision) { d.Code, d.Errs = CodeSettings, podPlan(f).podErrs }

func failConfigValues(f *Facts, d *Decision) {
	d.Code = CodeConfig
	if notKubernetes(f) {
		d.Errs = staticConfigErrs(f)
		return
	}
	d.Errs = podConfigErrs(f)
}

func useStatic(f *Facts, d *Decision) { d.use(staticPlan(f)) }

func usePod(f *Facts, d *Decision) {
	d.use(podPlan(f))
	d.Warnings = append(d.Warnings, podsettings.Warnings(*f.Pod)...)
}

func (d *Decision) use(p plan) {
	d.Inputs, d.Config = p.inputs, p.parsed.Config
	d.Warnings = podsettings.Remarks(p.inputs, p.parsed.Warnings)
}

func nonNil(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}
