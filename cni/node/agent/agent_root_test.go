//go:build linux

// The tests of this file need root: the socket's folder belongs to uid 0. The
// API server is client-go's fake; test/cluster has the real one.
package agent

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
	"github.com/sluicemesh/sluice/cni/node/install"
	"github.com/sluicemesh/sluice/cni/node/repair"
	"github.com/sluicemesh/sluice/cni/podapi"
)

const taintKey = "sluice.sluicemesh.io/not-ready"

// node is a host with a primary plugin, an API server and an agent.
type node struct {
	*Agent
	t      *testing.T
	root   string
	client *fake.Clientset
	stop   func()
}

func newNode(t *testing.T, objects ...*corev1.Pod) *node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: the socket's folder belongs to uid 0")
	}
	n := &node{t: t, root: t.TempDir(), client: fake.NewClientset()}
	for _, d := range []string{"etc/cni/net.d", "opt/cni/bin"} {
		must(t, os.MkdirAll(filepath.Join(n.root, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(n.root, "plugin"), []byte("program"), 0o755))
	for _, p := range objects {
		must(t, n.client.Tracker().Add(p))
	}
	must(t, n.client.Tracker().Add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a"},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: taintKey, Effect: corev1.TaintEffectNoSchedule}}}}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	entry, config, err := Entry(nil, "/run/sluice/node.sock")
	must(t, err)
	n.Agent = &Agent{
		Client: n.client, Node: "node-a", Log: slog.New(slog.DiscardHandler), HTTP: listener, Taint: taintKey,
		Socket:  filepath.Join(n.root, "run/node.sock"),
		Verdict: repair.DefaultVerdict(), Modes: []repair.Mode{repair.Delete},
		Installer: install.Installer{Host: hostfs.FS{Root: n.root}, ConfDir: "/etc/cni/net.d", BinDir: "/opt/cni/bin",
			Program: filepath.Join(n.root, "plugin"), Want: install.Want{Entry: entry}},
		Hands: repair.Hands{Client: n.client, Config: config, Log: slog.New(slog.DiscardHandler),
			Events: events.Teller{Client: n.client, Node: "node-a", Now: time.Now}},
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (n *node) start() *node {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	n.stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				n.t.Errorf("Run: got %v, want nil", err)
			}
		}
	}
	n.t.Cleanup(n.stop)
	return n
}

func (n *node) get(path string) (int, string) {
	n.t.Helper()
	res, err := http.Get("http://" + n.HTTP.Addr().String() + path)
	must(n.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(n.t, err)
	return res.StatusCode, string(body)
}

func (n *node) primary(name string) {
	n.t.Helper()
	raw, err := os.ReadFile("../../../testdata/conflists/" + name)
	must(n.t, err)
	must(n.t, os.WriteFile(filepath.Join(n.root, "etc/cni/net.d", name), raw, 0o644))
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("10s in vain for: %s", what)
}

func pod(name, uid string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "u1", Annotations: map[string]string{podapi.StatusAnnotation: "{}"}},
		Spec:       corev1.PodSpec{NodeName: "node-a", InitContainers: []corev1.Container{{Name: "istio-validation"}}, Containers: []corev1.Container{{Name: podapi.ProxyName}}},
	}
}

func TestTheNodeIsReadyOnlyOnceInstalledWatchingAndSynced(t *testing.T) {
	n := newNode(t, pod("cart", "u1")).start()
	eventually(t, "health", func() bool { code, _ := n.get("/healthz"); return code == 200 })
	eventually(t, "synced pods", func() bool { _, body := n.get("/readyz"); return strings.Contains(body, "pods synced: true") })
	if code, body := n.get("/readyz"); code != 503 || !strings.Contains(body, "installed: false") || !strings.Contains(body, "socket: true") {
		t.Errorf("without a configuration: got %d %q, want 503 and why", code, body)
	}
	n.primary("10-calico.conflist")
	eventually(t, "readiness", func() bool { code, _ := n.get("/readyz"); return code == 200 })
	eventually(t, "the taint gone", func() bool {
		got, err := n.client.CoreV1().Nodes().Get(t.Context(), "node-a", metav1.GetOptions{})
		return err == nil && len(got.Spec.Taints) == 0
	})
	eventually(t, "the metric", func() bool { _, body := n.get("/metrics"); return strings.Contains(body, "sluice_node_ready 1\n") })
	if code, _ := n.get("/debug/pprof/"); code != 404 {
		t.Errorf("profiles: got %d, want 404 unless asked for", code)
	}
}

func TestPluginsAreAnsweredAndTheirReportsCountedAndTold(t *testing.T) {
	n := newNode(t, pod("cart", "u1")).start()
	ask := func() (podapi.Response, error) {
		return podapi.Ask(t.Context(), n.Socket, podapi.Request{Namespace: "shop", Name: "cart", UID: "u1", NoAnnotations: true})
	}
	eventually(t, "an answer from the cache", func() bool {
		res, err := ask()
		_, metrics := n.get("/metrics")
		return err == nil && res.Found && strings.Contains(metrics, `sluice_node_pod_answers_total{via="cache"}`)
	})
	err := podapi.Tell(t.Context(), n.Socket, podapi.Report{Verb: "ADD", Namespace: "shop", Name: "cart", UID: "u1",
		Outcome: "program", Reason: "meshed", Micros: 4100, Warnings: []string{"init container setup runs before the proxy"}})
	must(t, err)
	eventually(t, "the Event", func() bool {
		list, err := n.client.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 1 && strings.Contains(list.Items[0].Message, "before the proxy")
	})
	_, metrics := n.get("/metrics")
	for _, want := range []string{`sluice_plugin_decisions_total{outcome="program",reason="meshed",verb="ADD"} 1`,
		`sluice_plugin_add_seconds_count{outcome="program"} 1`, "sluice_node_questions_without_annotations_total"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
}

func TestAPodWithoutRulesIsActedOn(t *testing.T) {
	broken, yes := pod("cart", "u1"), true
	broken.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "cart", Controller: &yes}}
	broken.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "istio-validation", State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: 126, ContainerID: "c1"}}}}
	n := newNode(t, broken).start()
	eventually(t, "the pod deleted", func() bool {
		list, err := n.client.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 0
	})
	eventually(t, "the count", func() bool {
		_, body := n.get("/metrics")
		return strings.Contains(body, `sluice_node_repairs_total{mode="delete",result="done"} 1`)
	})
}

func TestAnEndLeavesEverythingInPlaceAndNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	n := newNode(t, pod("cart", "u1"))
	n.primary("10-calico.conflist")
	n.start()
	eventually(t, "readiness", func() bool { code, _ := n.get("/readyz"); return code == 200 })
	http.DefaultClient.CloseIdleConnections()
	n.stop()
	raw, err := os.ReadFile(filepath.Join(n.root, "etc/cni/net.d/10-calico.conflist"))
	if err != nil || !strings.Contains(string(raw), PluginType) {
		t.Errorf("configuration: got %s, %v; want our entry still there", raw, err)
	}
	if _, err := os.Stat(filepath.Join(n.root, "opt/cni/bin/sluice-cni")); err != nil {
		t.Errorf("plugin: got %v, want it still there", err)
	}
	eventually(t, "no goroutine more than before", func() bool { return runtime.NumGoroutine() <= before })
}
