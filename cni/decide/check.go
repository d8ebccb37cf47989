package decide

import (
	"errors"
	"slices"

	"github.com/sluicemesh/sluice/cni/podsettings"
)

// badConfig: a known key with a bad value fails those that would be programmed.
func badConfig(f *Facts) bool { return len(f.Config.Problems) > 0 }

func failProblems(f *Facts, d *Decision) { d.Code, d.Errs = CodeConfig, f.Config.Problems }

func invalidStatic(f *Facts) bool { return static(f) && badConfig(f) }

// invalid holds for a pod whose settings cannot be read or, where the node's
// owner is strict, whose containers bypass its proxy.
func invalid(f *Facts) bool { return len(podErrors(f)) > 0 }

func failSettings(f *Facts, d *Decision) { d.Code, d.Errs = CodeSettings, podErrors(f) }

func podErrors(f *Facts) []error {
	_, errs := podSettings(f)
	if !f.Config.Strict {
		return errs
	}
	for _, w := range podsettings.Warnings(*f.Pod) {
		if w.Kind == podsettings.BypassesProxy {
			errs = append(slices.Clone(errs), errors.New(w.Text+" (the network config is strict)"))
		}
	}
	return errs
}
