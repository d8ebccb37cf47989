// Package podsettings reads what a Kubernetes pod says about its interception.
// It is pure: the plugin, the node's program and the reader of manifests on the
// command line all use it, so that a pod means the same to each of them.
//
//	podapi.Pod → Of       → flag, value, origin → the builder's parser
//	           → Warnings → what will surprise the pod's owner
//
// Decode makes a podapi.Pod from a Kubernetes manifest.
package podsettings

import (
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// Names that the mesh gives to its containers, besides podapi.ProxyName.
const (
	InitContainer       = "istio-init"       // installs rules from inside the pod
	ValidationContainer = "istio-validation" // proves that rules are there
)

// Injected tells whether the mesh's injector has marked these annotations.
func Injected(annotations map[string]string) bool {
	_, ok := annotations[podapi.StatusAnnotation]
	return ok
}

// Container finds a container by name, init containers included: native
// sidecars live there.
func Container(p podapi.Pod, name string) (podapi.Container, bool) {
	for _, c := range all(p) {
		if c.Name == name {
			return c, true
		}
	}
	return podapi.Container{}, false
}

// InjectionOff tells whether the pod's label, or without one its annotation,
// switches injection off.
func InjectionOff(p podapi.Pod) bool {
	v, ok := p.Labels[podapi.InjectKey]
	if !ok {
		v = p.Annotations[podapi.InjectKey]
	}
	b, err := strconv.ParseBool(strings.TrimSpace(v))
	return err == nil && !b
}

// EnvoyDisabled tells whether the proxy container runs without Envoy.
func EnvoyDisabled(p podapi.Pod) bool {
	v, _ := proxyEnv(p, disableEnvoy)
	return on(v.Value)
}

const disableEnvoy = "DISABLE_ENVOY"

// Mode is the interception mode the pod asks for, upper case. It is not
// checked here: Of carries it to the builder's parser.
func Mode(p podapi.Pod) string {
	config, _ := readProxyConfig(p)
	set, _ := read(p, modeSource(), config)
	return strings.ToUpper(strings.TrimSpace(set.Value))
}

// all are the pod's containers in the order in which they start.
func all(p podapi.Pod) []podapi.Container {
	out := make([]podapi.Container, 0, len(p.InitContainers)+len(p.Containers))
	return append(append(out, p.InitContainers...), p.Containers...)
}

// proxyEnv is the proxy's variable of that name; as in a real process, the
// last of several counts.
func proxyEnv(p podapi.Pod, name string) (podapi.Env, bool) {
	proxy, _ := Container(p, podapi.ProxyName)
	for i := len(proxy.Env) - 1; i >= 0; i-- {
		if proxy.Env[i].Name == name {
			return proxy.Env[i], true
		}
	}
	return podapi.Env{}, false
}
