package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/test/rig"
)

// CNI lets the plugin put the rules in place, as a container runtime calls it
// for a pod: with the pod's annotations, and a node agent that knows the pod.
// It is made by [NewCNI].
type CNI struct {
	program string
	socket  string
	agent   *agent
}

// String names the path.
func (*CNI) String() string { return "CNI" }

// NewCNI starts a node agent for the plugin at this path. It ends with the test.
func NewCNI(t testing.TB, program string) *CNI {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-agent-")
	if err != nil {
		t.Fatal(err)
	}
	c := &CNI{program: program, socket: filepath.Join(dir, "run", "node.sock"), agent: &agent{pods: map[string]podapi.Pod{}}}
	l, err := podapi.Listen(c.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- podapi.Server{Handler: c.agent}.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("node agent: %v", err)
		}
		os.RemoveAll(dir)
	})
	return c
}

// Install implements [Path]: it adds the pod to the network, and has what it did
// checked by the plugin's own CHECK.
func (c *CNI) Install(t testing.TB, pod *rig.Namespace, s Settings, b Backend) {
	t.Helper()
	c.agent.know(podOf(pod.Name, s))
	for _, verb := range []string{"ADD", "CHECK"} {
		c.call(t, verb, pod, s, b)
	}
}

func (c *CNI) call(t testing.TB, verb string, pod *rig.Namespace, s Settings, b Backend) {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"cniVersion": "1.0.0", "name": "mesh", "type": "sluice-cni",
		"backend": b.Name, "agent_socket": c.socket, "log_level": "debug",
		"runtimeConfig": map[string]any{netconf.AnnotationsCapability: s.Annotations()},
		"prevResult":    map[string]any{"cniVersion": "1.0.0", "interfaces": []any{map[string]any{"name": "eth0", "sandbox": pod.Path()}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	plugin := exec.Command(c.program)
	plugin.Stdin = bytes.NewReader(config)
	plugin.Env = []string{
		"PATH=" + os.Getenv("PATH"), "CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + pod.Name, "CNI_NETNS=" + pod.Path(),
		"CNI_IFNAME=eth0", "CNI_PATH=" + filepath.Dir(c.program),
		fmt.Sprintf("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=mesh;K8S_POD_NAME=%s;K8S_POD_UID=%s", pod.Name, uidOf(pod.Name)),
	}
	if out, err := plugin.CombinedOutput(); err != nil {
		t.Fatalf("%s of %s: %v\n%s", verb, pod.Name, err, out)
	}
}

// agent knows the pods of the scenes.
type agent struct {
	mu   sync.Mutex
	pods map[string]podapi.Pod
}

func (a *agent) know(p podapi.Pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pods[p.Name] = p
}

// Pod implements [podapi.Handler].
func (a *agent) Pod(_ context.Context, q podapi.Request) podapi.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, found := a.pods[q.Name]
	if !found {
		return podapi.Response{}
	}
	return podapi.Response{Found: true, Pod: &p}
}

// Report implements [podapi.Handler]; the scenes look at the kernel instead.
func (*agent) Report(podapi.Report) {}

// Failed implements [podapi.Handler]; the plugin tells the test itself.
func (*agent) Failed(*podapi.Error) {}

func uidOf(pod string) string { return "uid-of-" + pod }

// podOf is a pod as the agent knows it: an application beside its proxy.
func podOf(name string, s Settings) podapi.Pod {
	proxy := int64(rig.Proxy.UID)
	var env []podapi.Env
	if s.DNS {
		env = append(env, podapi.Env{Name: "ISTIO_META_DNS_CAPTURE", Value: "true"})
	}
	return podapi.Pod{
		Namespace: "mesh", Name: name, UID: uidOf(name), Annotations: s.Annotations(),
		Containers: []podapi.Container{
			{Name: "app"},
			{Name: "istio-proxy", ProxyType: "sidecar", RunAsUser: &proxy, RunAsGroup: &proxy, Env: env},
		},
	}
}

// Annotations is the settings as a pod states them. DNS capture is stated by
// the proxy's environment instead.
func (s Settings) Annotations() map[string]string {
	a := map[string]string{"sidecar.istio.io/status": `{"containers":["istio-proxy"]}`}
	if s.TPROXY {
		a["sidecar.istio.io/interceptionMode"] = "TPROXY"
	}
	for key, value := range map[string]string{
		"excludeOutboundPorts":    s.ExcludeOutboundPorts,
		"excludeOutboundIPRanges": s.ExcludeOutboundCIDRs,
		"excludeInboundPorts":     s.ExcludeInboundPorts,
	} {
		if value != "" {
			a["traffic.sidecar.istio.io/"+key] = value
		}
	}
	return a
}
