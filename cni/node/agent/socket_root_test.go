//go:build linux

package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/cni/podapi"
)

func (n *node) reachable() bool {
	_, err := podapi.Ask(n.t.Context(), n.Socket, podapi.Request{Namespace: "shop", Name: "cart", UID: "u1"})
	return err == nil
}

func (n *node) ready() bool {
	code, _ := n.get("/readyz")
	return code == 200
}

func TestPluginsReachTheAgentAgainAfterItsSocketIsGone(t *testing.T) {
	n := newNode(t, pod("cart", "u1"))
	n.primary("10-calico.conflist")
	n.start()
	folder := filepath.Dir(n.Socket)
	for what, spoil := range map[string]func() error{
		"the folder removed":         func() error { return os.RemoveAll(folder) },
		"the socket removed":         func() error { return os.Remove(n.Socket) },
		"a file in its place":        func() error { _ = os.Remove(n.Socket); return os.WriteFile(n.Socket, nil, 0o600) },
		"the folder open for others": func() error { return os.Chmod(folder, 0o755) },
	} {
		eventually(t, "readiness before "+what, func() bool { return n.ready() && n.reachable() })
		must(t, spoil())
		if n.reachable() {
			t.Fatalf("%s: plugins still reach the agent, the test proves nothing", what)
		}
		eventually(t, "an answer after "+what, n.reachable)
		eventually(t, "readiness after "+what, n.ready)
	}
}

func TestTheNodeIsNotReadyWhilePluginsCannotReachTheAgent(t *testing.T) {
	n := newNode(t, pod("cart", "u1"))
	n.primary("10-calico.conflist")
	n.start()
	eventually(t, "readiness", n.ready)
	folder := filepath.Dir(n.Socket)
	must(t, os.RemoveAll(folder))
	must(t, os.WriteFile(folder, nil, 0o600)) // no folder can be made here
	eventually(t, "no readiness", func() bool {
		code, body := n.get("/readyz")
		return code == 503 && strings.Contains(body, "socket: false")
	})
	must(t, os.Remove(folder))
	eventually(t, "readiness again", func() bool { return n.ready() && n.reachable() })
}

func TestAnAgentThatEndsLeavesAnothersSocket(t *testing.T) {
	first := newNode(t, pod("cart", "u1"))
	first.primary("10-calico.conflist")
	first.start()
	eventually(t, "readiness", first.ready)
	second := newNode(t, pod("cart", "u1"))
	second.Socket = first.Socket
	second.start()
	eventually(t, "the second's socket", func() bool { return second.state.Reachable.Load() && second.reachable() })
	first.stop()
	if !second.reachable() {
		t.Error("the first ended: plugins do not reach the second")
	}
	second.stop()
	if _, err := os.Lstat(second.Socket); !os.IsNotExist(err) {
		t.Errorf("the second ended: got %v, want its socket gone", err)
	}
}

func TestAnAgentTakesItsSocketBackWhenAnotherEnds(t *testing.T) {
	first := newNode(t, pod("cart", "u1"))
	first.primary("10-calico.conflist")
	first.start()
	eventually(t, "readiness", first.ready)
	second := newNode(t, pod("cart", "u1"))
	second.Socket = first.Socket
	second.start()
	eventually(t, "the second's socket", func() bool { return second.state.Reachable.Load() && second.reachable() })
	second.stop()
	eventually(t, "the first answers again", first.reachable)
	eventually(t, "readiness", first.ready)
}

// The runtime, and so the plugin, knows a static pod by its config hash.
func TestTheEventAboutAStaticPodIsFoundUnderItsMirrorsUID(t *testing.T) {
	mirror := pod("cart", "u1")
	mirror.Annotations[podapi.ConfigHashAnnotation] = "hash"
	n := newNode(t, mirror).start()
	eventually(t, "the socket", n.reachable)
	for _, r := range []podapi.Report{
		{Verb: "ADD", Namespace: "shop", Name: "cart", UID: "hash", Outcome: "program", Reason: "meshed", Warnings: []string{"of the static pod"}},
		{Verb: "ADD", Namespace: "shop", Name: "gone", UID: "u7", Outcome: "program", Reason: "meshed", Warnings: []string{"of one that is gone"}},
	} {
		must(t, podapi.Tell(t.Context(), n.Socket, r))
	}
	want := map[string]string{"cart": "u1", "gone": "u7"}
	var events []corev1.Event
	eventually(t, "the Events", func() bool {
		list, err := n.client.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{})
		must(t, err)
		events = list.Items
		return len(events) == len(want)
	})
	for _, e := range events {
		if o := e.InvolvedObject; string(o.UID) != want[o.Name] {
			t.Errorf("Event about %s: got uid %s, want %s", o.Name, o.UID, want[o.Name])
		}
	}
}

// A container whose folder of the host was removed gets the new one only when
// it is started again.
func TestAnAgentThatCannotListenAgainEndsSoThatItIsStartedAgain(t *testing.T) {
	n := newNode(t)
	n.Socket = "/dev/null/node.sock"
	now, cancel := context.WithCancel(t.Context())
	cancel() // and so without pauses
	if _, err := n.reopen(now); err == nil || !strings.Contains(err.Error(), "plugins cannot reach the agent: ") {
		t.Errorf("got %v, want an error that says what it means", err)
	}
	must(t, n.HTTP.Close())
}
