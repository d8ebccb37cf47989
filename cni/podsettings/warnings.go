package podsettings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// Kind is a stable name for metrics and Events.
type Kind string

// The kinds of warning a pod can give rise to.
const (
	InitBeforeProxy   Kind = "InitBeforeProxy"   // captured while no proxy runs yet
	BypassesProxy     Kind = "BypassesProxy"     // has the proxy's uid or gid
	UnknownAnnotation Kind = "UnknownAnnotation" // looks like ours, nothing reads it
	SettingRemark     Kind = "SettingRemark"     // accepted, but not quite as written
)

// Warning is something about a programmed pod that will surprise its owner.
type Warning struct {
	Kind Kind
	Text string
}

// Warnings lists what will surprise the owner of a pod that is programmed.
func Warnings(p podapi.Pod) []Warning {
	return slices.Concat(initBeforeProxy(p), bypassing(p), unknownAnnotations(p))
}

// initBeforeProxy finds init containers that run when rules are in place and
// the proxy is not: all of them, or those before the native sidecar.
func initBeforeProxy(p podapi.Pod) []Warning {
	var out []Warning
	for _, c := range p.InitContainers {
		if c.Name == podapi.ProxyName {
			break
		}
		if ofTheMesh(c) {
			continue
		}
		out = append(out, Warning{InitBeforeProxy, fmt.Sprintf(
			"init container %s runs before the proxy: its TCP connections are captured, and refused until the proxy listens; "+
				"run the proxy as a native sidecar, or let this one out with %sexcludeOutboundPortsForUIDs", c.Name, own)})
	}
	return out
}

// bypassing finds containers whose uid or gid is the proxy's.
func bypassing(p podapi.Pod) []Warning {
	var out []Warning
	for _, c := range all(p) {
		for _, id := range identities() {
			mine, _ := id.effective(p, c)
			proxy, _ := id.proxy(p) // of a bad id, nothing
			if ofTheMesh(c) || mine == nil || strconv.FormatInt(*mine, 10) != proxy.Value {
				continue
			}
			out = append(out, Warning{BypassesProxy, fmt.Sprintf(
				"container %s has the proxy's %s %d: all its traffic bypasses the proxy", c.Name, id.field, *mine)})
		}
	}
	return out
}

// unknownAnnotations finds annotations under the prefixes that only
// interception uses, which nothing reads: most often a misspelling.
func unknownAnnotations(p podapi.Pod) []Warning {
	var known []string
	for _, s := range sources() {
		known = append(known, s.annotations...)
	}
	var out []Warning
	for _, key := range slices.Sorted(maps.Keys(p.Annotations)) {
		prefixed := strings.HasPrefix(key, traffic) || strings.HasPrefix(key, own)
		switch {
		case key == redirectInterfaces:
			out = append(out, Warning{UnknownAnnotation, "annotation " + key + " is not known and has no effect; " + rerouteInterfaces + " is read"})
		case prefixed && !slices.Contains(known, key):
			out = append(out, Warning{UnknownAnnotation, "annotation " + key + " is not known and has no effect"})
		}
	}
	return out
}

// redirectInterfaces is written for rerouteInterfaces: the one sounds like the other.
const redirectInterfaces = "istio.io/redirect-virtual-interfaces"

func ofTheMesh(c podapi.Container) bool {
	return slices.Contains([]string{podapi.ProxyName, ValidationContainer, InitContainer}, c.Name)
}
