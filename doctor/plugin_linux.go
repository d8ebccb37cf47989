package doctor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
)

// netDir is where runtimes look for network configurations by default.
const netDir = "/etc/cni/net.d"

// Names of the plugin, and of what an entry declares to be handed the
// annotations of pods.
const (
	pluginType         = "sluice-cni"
	annotationsForward = "io.kubernetes.cri.pod-annotations"
)

// plugin: on a node, whether the runtime hands the pods' annotations to the
// plugin. Nothing is said where no network configuration names it.
func (r *Report) plugin(dir string) {
	for _, name := range configurations(dir) {
		entry, ok := pluginEntry(filepath.Join(dir, name))
		switch {
		case !ok:
			continue
		case entry.Capabilities[annotationsForward]:
			r.add("CNI plugin", Good, name+" asks the runtime for the pods' annotations", "pods outside of the mesh pass without a question to the agent", "")
		default:
			r.add("CNI plugin", Warning, name+" does not ask the runtime for the pods' annotations",
				"every pod of a namespace that is not excluded needs the agent, in the mesh or not",
				`add "capabilities": {"`+annotationsForward+`": true} to the entry of `+pluginType)
		}
		return
	}
}

// configurations lists the files that a runtime reads, in the order in which it
// takes the first that it can use (ConfFiles of github.com/containernetworking/cni/libcni).
func configurations(dir string) []string {
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range files {
		if slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(f.Name())) {
			names = append(names, f.Name())
		}
	}
	return names
}

// entry is what matters here of a plugin's configuration.
type entry struct {
	Type         string          `json:"type"`
	Capabilities map[string]bool `json:"capabilities"`
}

// pluginEntry finds our entry in a list of plugins.
func pluginEntry(path string) (entry, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return entry{}, false
	}
	var list struct {
		Plugins []entry `json:"plugins"`
	}
	if json.Unmarshal(data, &list) != nil {
		return entry{}, false
	}
	i := slices.IndexFunc(list.Plugins, func(e entry) bool { return e.Type == pluginType })
	if i < 0 {
		return entry{}, false
	}
	return list.Plugins[i], true
}
