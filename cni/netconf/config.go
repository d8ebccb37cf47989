package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/sluicemesh/sluice/builder"
)

// Defaults of the keys that have one.
const (
	DefaultSocket  = "/run/sluice/node.sock"
	DefaultTimeout = 10 * time.Second
	DefaultLevel   = "info"
)

// Bounds of the key timeout. The runtime gives up after some minutes, and
// less than a tenth of a second refuses pods on a busy node for nothing.
const (
	MinTimeout = 100 * time.Millisecond
	MaxTimeout = 3 * time.Minute
)

// AnnotationsCapability is the capability under which containerd and CRI-O
// hand over the pod's annotations.
const AnnotationsCapability = "io.kubernetes.cri.pod-annotations"

// Requirement says which pods wait for the node agent when it cannot be asked.
type Requirement string

// The values of the key agent_required.
const (
	Never  Requirement = "never"  // a pod about which nothing can be learned passes
	Meshed Requirement = "meshed" // pods that are meshed, or may be, wait
	Always Requirement = "always" // every pod waits, look-ups are made for all
)

// Config is one network configuration, with defaults filled in.
type Config struct {
	CNIVersion string
	Name       string
	Type       string

	LogLevel          string // debug, info, warn or error
	LogFile           string // empty: no file
	Socket            string // of the node agent
	ExcludeNamespaces []string
	AgentRequired     Requirement
	Timeout           time.Duration // of the whole call
	Strict            bool          // a container that bypasses the proxy is an error
	AllowArgs         bool          // SLUICE_CONFIG counts

	// Settings are those of every pod of this node: backend, families, ports.
	Settings []builder.Input
	// Static are the settings of every container, without Kubernetes; HasStatic
	// tells an empty object from none.
	Static    []builder.Input
	HasStatic bool

	// Annotations are the pod's where AnnotationsKnown.
	Annotations      map[string]string
	AnnotationsKnown bool

	PrevResult json.RawMessage // empty when there is none

	Warnings []string
	Problems []error // each a *Problem
}

// Problem is a known key with a bad value.
type Problem struct {
	Place    string // e.g. "network config key timeout"
	Value    string // as it stands there, shortened
	Accepted string
}

// Error implements error in one sentence.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s: %s is not accepted (want %s)", p.Place, p.Value, p.Accepted)
}

// Parse reads a network configuration of any size that the caller admits. The
// error is for one that is no JSON object; the defaults come with it.
func Parse(doc []byte) (Config, error) {
	c := Config{
		LogLevel: DefaultLevel, Socket: DefaultSocket, Timeout: DefaultTimeout, AgentRequired: Meshed,
		ExcludeNamespaces: []string{"kube-system", "sluice-system"},
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(doc, &fields); err != nil {
		return c, noObject(err)
	}
	if fields == nil {
		return c, errors.New("network config is null")
	}
	for _, k := range keys() {
		if v, ok := fields[k.name]; ok {
			k.read(&c, k.name, v)
		}
	}
	for _, name := range sorted(fields) {
		if !Known(name) {
			c.Warnings = append(c.Warnings, "network config key "+name+" is not known and has no effect")
		}
	}
	return c, nil
}

// noObject says what there is in place of an object, without the words of the
// program.
func noObject(err error) error {
	const message = "network config is no JSON object"
	var other *json.UnmarshalTypeError
	if errors.As(err, &other) {
		return fmt.Errorf("%s: it is of the type %s", message, other.Value)
	}
	return fmt.Errorf("%s: %w", message, err)
}

// Known tells whether the plugin knows a top-level key, be it only to ignore it.
func Known(name string) bool {
	return slices.ContainsFunc(keys(), func(k key) bool { return k.name == name })
}

// Injected lists the keys that a runtime fills itself, one call at a time,
// sorted. None belongs into a file: a constant in its place is overwritten, or
// holds for every container where the runtime has nothing to say. The CNI
// specification, section 3, has most of them; args is a convention of
// runtimes, and the keys of cni.dev come with GC.
func Injected() []string {
	return []string{
		"args", "cni.dev/attachments", "cni.dev/valid-attachments", "cniVersion", "cniVersions", "name", "prevResult", "runtimeConfig",
	}
}

// key is one top-level key and what it does. Where two spellings exist the
// later row wins, so that our own name goes before the classic one.
type key struct {
	name string
	read func(c *Config, name string, v json.RawMessage)
}

func keys() []key {
	return slices.Concat(standardKeys(), classicKeys(), []key{
		{"log_level", one("debug, info, warn or error", level, func(c *Config, v string) { c.LogLevel = v })},
		{"log_file", one("an absolute path, or empty for none", absoluteOrEmpty, func(c *Config, v string) { c.LogFile = v })},
		{"agent_socket", one("an absolute path", absolute, func(c *Config, v string) { c.Socket = v })},
		{"exclude_namespaces", one("a list of namespaces", list, func(c *Config, v []string) { c.ExcludeNamespaces = v })},
		{"agent_required", one("never, meshed or always", requirement, func(c *Config, v Requirement) { c.AgentRequired = v })},
		{"timeout", one(fmt.Sprintf("a duration from %s to %s, like \"10s\"", MinTimeout, MaxTimeout), timeout, func(c *Config, v time.Duration) { c.Timeout = v })},
		{"strict", one("true or false", boolean, func(c *Config, v bool) { c.Strict = v })},
		{"allow_args", one("true or false", boolean, func(c *Config, v bool) { c.AllowArgs = v })},
		{"backend", setting("backend")},
		{"ip_families", setting("ip-families")},
		{"ports", readPorts},
		{"interception", readStatic},
	})
}

// standardKeys are the CNI project's own. Those that concern the runtime or
// the interface are not ours to read.
func standardKeys() []key {
	ignore := func(*Config, string, json.RawMessage) {}
	out := []key{
		{"cniVersion", one("a version", text, func(c *Config, v string) { c.CNIVersion = v })},
		{"name", one("a name", text, func(c *Config, v string) { c.Name = v })},
		{"type", one("a name", text, func(c *Config, v string) { c.Type = v })},
		{"runtimeConfig", readRuntimeConfig},
		{"prevResult", readPrevResult},
	}
	for _, name := range []string{
		"args", "capabilities", "cniVersions", "disableCheck", "disableGC", "dns", "ipMasq", "ipam",
		"loadOnlyInlinedPlugins", "cni.dev/attachments", "cni.dev/valid-attachments",
	} {
		out = append(out, key{name, ignore})
	}
	return out
}

// classicKeys are the spellings of the mesh's own plugin.
func classicKeys() []key {
	out := []key{
		{"plugin_log_level", one("debug, info, warn or error", level, func(c *Config, v string) { c.LogLevel = v })},
		{"cni_agent_run_dir", one("an absolute path", absolute, func(c *Config, v string) { c.Socket = path.Join(v, path.Base(DefaultSocket)) })},
		{"native_nftables", setting("native-nftables")},
		{"kubernetes", readKubernetes},
	}
	for _, name := range []string{
		"ambient_enabled", "ambient_dns_capture", "ambient_ipv6", "ambient_reconcile_pod_rules_on_startup",
		"enable_ambient_detection_retry", "enablement_selectors", "log_uds_address", "pod_namespace", "skip_tproxy",
	} {
		out = append(out, key{name, func(c *Config, name string, _ json.RawMessage) {
			c.Warnings = append(c.Warnings, "network config key "+name+" is accepted and ignored")
		}})
	}
	return out
}
