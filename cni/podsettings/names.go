package podsettings

import "slices"

// Name says where one setting may stand in a pod, for documentation: the
// first annotation that exists, else the proxy container's variable, else the
// key of the annotation proxy.istio.io/config.
type Name struct {
	Flag        string // of sluice apply
	Annotations []string
	Env         string
	ConfigKey   string
	Default     string // of pods, where it differs from the flag's
	EmptyCounts bool   // present but empty is the empty list
}

// Names lists every setting that a pod can state, in the order in which they
// are read. The proxy's uid and gid come from security contexts besides.
func Names() []Name {
	var list []Name
	for _, s := range sources() {
		list = append(list, Name{s.flag, slices.Clone(s.annotations), s.env, s.config, s.fallback, s.list})
	}
	return list
}
