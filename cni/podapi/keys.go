package podapi

import (
	"slices"
	"strings"
)

// ConfigHashAnnotation carries the uid by which the runtime knows a static pod.
const ConfigHashAnnotation = "kubernetes.io/config.hash"

// InjectKey takes a pod out of the mesh, as a label or as an annotation.
const InjectKey = "sidecar.istio.io/inject"

// ProxyName is the sidecar's container name; the only container whose
// environment a decision reads.
const ProxyName = "istio-proxy"

// StatusAnnotation is what the mesh's injector leaves on a pod it has changed.
const StatusAnnotation = "sidecar.istio.io/status"

// keptAnnotations are the prefixes of the annotations that a decision may read.
// An exact list would have to be edited with every new setting, and an agent
// older than the plugin would then hide a setting from it; these prefixes
// belong to the mesh and to us, so that what else grows in a pod's annotations
// (the last-applied configuration above all) stays behind.
var keptAnnotations = [...]string{
	StatusAnnotation,
	InjectKey,
	"sidecar.istio.io/interceptionMode",
	"traffic.sidecar.istio.io/",
	"proxy.istio.io/config",
	"istio.io/reroute-virtual-interfaces",
	"istio.io/redirect-virtual-interfaces", // read by nobody, and warned about
	"sluice.sluicemesh.io/",
}

// KeepAnnotation reports whether a decision may read the annotation key.
func KeepAnnotation(key string) bool {
	for _, prefix := range keptAnnotations {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// KeepLabel reports whether a decision may read the label key.
func KeepLabel(key string) bool { return key == InjectKey }

// keptEnv are the proxy's variables that decisions read, by their whole names:
// metadata and configuration of the proxy beside them may hold secrets. A test
// of package podsettings compares the list with what is read.
var keptEnv = [...]string{
	"DISABLE_ENVOY",
	"FORCE_IPTABLES_BINARY",
	"INVALID_DROP",
	"ISTIO_DUAL_STACK",
	"ISTIO_META_DNS_CAPTURE",
	"ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR",
	"ISTIO_OUTBOUND_OWNER_GROUPS",
	"ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
	"NATIVE_NFTABLES",
	"SLUICE_BACKEND",
	"SLUICE_IP_FAMILIES",
}

// KeepEnv reports whether a decision reads the proxy's variable name.
func KeepEnv(name string) bool { return slices.Contains(keptEnv[:], name) }
