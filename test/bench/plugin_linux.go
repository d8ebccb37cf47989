package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// oneMeshedPod is the agent: it answers with a pod as the injector leaves it.
type oneMeshedPod struct{}

// Pod implements [podapi.Handler].
func (oneMeshedPod) Pod(_ context.Context, q podapi.Request) podapi.Response {
	proxy := int64(1337)
	return podapi.Response{Found: true, Pod: &podapi.Pod{
		Namespace: q.Namespace, Name: q.Name, UID: q.UID,
		Annotations: map[string]string{podapi.StatusAnnotation: "{}", "sidecar.istio.io/interceptionMode": "REDIRECT"},
		Containers:  []podapi.Container{{Name: "app"}, {Name: podapi.ProxyName, ProxyType: "sidecar", RunAsUser: &proxy, RunAsGroup: &proxy}},
	}}
}

// Report implements [podapi.Handler].
func (oneMeshedPod) Report(podapi.Report) {}

// Failed implements [podapi.Handler].
func (oneMeshedPod) Failed(*podapi.Error) {}

func (p paths) socket() string { return p.file(filepath.Join("agent", "node.sock")) }

// measurePlugin measures calls of plugins, as a runtime makes them.
func (p paths) measurePlugin(peak string, rounds int) ([]result, error) {
	l, err := podapi.Listen(p.socket())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- podapi.Server{Handler: oneMeshedPod{}}.Serve(ctx, l) }()
	results, err := measure(p.plugins(), peak, rounds)
	stop()
	if e := <-served; err == nil {
		err = e
	}
	return results, err
}

// plugins are the calls; each kind begins with what it is compared with.
func (p paths) plugins() []variant {
	skel, ours := []string{p.program("skelplugin")}, []string{p.program("sluice-cni")}
	return []variant{
		{name: "no-op ADD: skel and nothing else", argv: skel, stdin: p.netconf(plain(), nil)},
		{name: "no-op ADD: sluice-cni", argv: ours, stdin: p.netconf(plain(), nil)},
		{name: "meshed pod: skel, socket, one encoded batch, verified", argv: skel,
			stdin: p.netconf(injected(), map[string]any{"batch": p.file("batch"), "listing": p.file("listing")})},
		{name: "meshed pod: sluice-cni, nftables", argv: ours, stdin: p.netconf(injected(), map[string]any{"backend": "nftables"})},
		{name: "meshed pod: sluice-cni, iptables-nft", argv: ours, stdin: p.netconf(injected(), map[string]any{"backend": "iptables-nft"})},
		{name: "meshed pod: sluice-cni, iptables-legacy", argv: ours, stdin: p.netconf(injected(), map[string]any{"backend": "iptables-legacy"})},
	}
}

// plain is what kubelet leaves on every pod.
func plain() map[string]string { return map[string]string{"kubernetes.io/config.source": "api"} }

func injected() map[string]string { return map[string]string{podapi.StatusAnnotation: "{}"} }

// netconf is what a runtime writes to a chained plugin.
func (p paths) netconf(annotations map[string]string, keys map[string]any) string {
	doc := map[string]any{
		"cniVersion": "1.0.0", "name": "pods", "type": "sluice-cni", "agent_socket": p.socket(),
		"runtimeConfig": map[string]any{"io.kubernetes.cri.pod-annotations": annotations},
		"prevResult": map[string]any{
			"cniVersion": "1.0.0", "dns": map[string]any{}, "interfaces": []any{map[string]any{"name": "eth0", "sandbox": "/run/netns/x"}},
			"ips": []any{map[string]any{"address": "192.0.2.2/24", "gateway": "192.0.2.1", "interface": 0}},
		},
	}
	for k, v := range keys {
		doc[k] = v
	}
	text, err := json.Marshal(doc)
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return string(text)
}

// onNode calls do in a fresh namespace, the node, with the environment of a call
// for another fresh one, the pod.
func onNode(do func(env []string) error) error {
	return inFresh(func() error {
		pod, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(pod)
		return inFresh(func() error {
			return do([]string{
				"CNI_COMMAND=ADD", "CNI_CONTAINERID=bench", "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "PATH=" + os.Getenv("PATH"),
				fmt.Sprintf("CNI_NETNS=/proc/%d/fd/%d", os.Getpid(), pod),
				"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=u1",
			})
		})
	})
}
