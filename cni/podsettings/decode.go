package podsettings

import (
	"encoding/json"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// manifest is the part of a Kubernetes pod (or pod template) that matters here.
type manifest struct {
	Metadata struct {
		Namespace, Name, UID string
		Labels, Annotations  map[string]string
	}
	Spec struct {
		HostNetwork                bool
		HostUsers                  *bool
		SecurityContext            security
		InitContainers, Containers []container
	}
}

type security struct{ RunAsUser, RunAsGroup *int64 }

type container struct {
	Name            string
	Args            []string
	RestartPolicy   string
	SecurityContext security
	Env             []struct {
		Name, Value string
		ValueFrom   any // nil: absent, or null
	}
}

// Decode reads a Kubernetes pod, or the template of a workload, in JSON. What
// a decision does not read is left out, as it is on the node's socket.
func Decode(doc []byte) (podapi.Pod, error) {
	var m manifest
	if err := json.Unmarshal(doc, &m); err != nil {
		return podapi.Pod{}, err
	}
	return podapi.Pod{
		Namespace: m.Metadata.Namespace, Name: m.Metadata.Name, UID: m.Metadata.UID,
		ConfigHash:  m.Metadata.Annotations[podapi.ConfigHashAnnotation],
		Annotations: keep(m.Metadata.Annotations, podapi.KeepAnnotation),
		Labels:      keep(m.Metadata.Labels, podapi.KeepLabel),
		HostNetwork: m.Spec.HostNetwork, HostUsers: m.Spec.HostUsers,
		RunAsUser: m.Spec.SecurityContext.RunAsUser, RunAsGroup: m.Spec.SecurityContext.RunAsGroup,
		InitContainers: decodeContainers(m.Spec.InitContainers),
		Containers:     decodeContainers(m.Spec.Containers),
	}, nil
}

func decodeContainers(in []container) []podapi.Container {
	var out []podapi.Container
	for _, c := range in {
		d := podapi.Container{
			Name: c.Name, Sidecar: c.RestartPolicy == "Always",
			RunAsUser: c.SecurityContext.RunAsUser, RunAsGroup: c.SecurityContext.RunAsGroup,
		}
		if c.Name == podapi.ProxyName {
			d.ProxyType, d.Env = proxyType(c.Args), proxyEnvOf(c)
		}
		out = append(out, d)
	}
	return out
}

// proxyType is the role in the proxy's arguments ("proxy sidecar …").
func proxyType(args []string) string {
	if len(args) < 2 || args[0] != "proxy" {
		return ""
	}
	return args[1]
}

func proxyEnvOf(c container) []podapi.Env {
	var out []podapi.Env
	for _, e := range c.Env {
		if podapi.KeepEnv(e.Name) {
			out = append(out, podapi.Env{Name: e.Name, Value: e.Value, ValueFrom: e.ValueFrom != nil})
		}
	}
	return out
}

func keep(in map[string]string, wanted func(string) bool) map[string]string {
	out := map[string]string{}
	for k, v := range in {
		if wanted(k) {
			out[k] = v
		}
	}
	return out
}
