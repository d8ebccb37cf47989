//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/test/containerd"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

const shippedFile = "sluice-repair.yaml"

func TestANodesLife(t *testing.T) {
	c := Start(t)
	s := &scene{Cluster: c, t: t}
	c.Conflist(primaryFile, c.primary())
	original := s.conf()
	c.BuildAgent()
	c.Inject()
	c.Kubectl("", "create", "namespace", "plain")
	c.Kubectl("", "create", "namespace", "shop")
	c.Kubectl("", "label", "namespace", "shop", InjectLabel+"=enabled")
	c.AwaitNodeReady()

	s.step("a meshed pod that starts without the plugin fails its validation", beforeTheAgent)
	s.step("the DaemonSet installs itself into the node's configuration", install)
	s.step("the pod that started without rules is repaired in place", repaired)
	s.step("a meshed Deployment is captured and an unmeshed one is not", deployments)
	s.step("an ADD is served from the cache while the API server is away", apiAway)
	s.step("a rolling upgrade of the agent removes nothing", upgrade)
	s.step("after a reboot with an empty run directory pods are captured or not as before", reboot)
	s.step("an agent whose socket's folder is removed from the host is not ready until it is started again", unreached)
	s.step("the agent was never refused what it asked for, and may do no more", rights)
	s.step("an uninstall leaves running pods running and deletable, and the configuration as it was", func(s *scene) { uninstall(s, original) })
}

func beforeTheAgent(s *scene) {
	s.Kubectl(Deployment("shop", "early"), "apply", "-f", "-")
	s.broken("shop", "early")
}

func install(s *scene) {
	s.Kubectl(s.Manifest(shippedFile), "apply", "-f", "-")
	s.agentReady()
	if !s.chained() {
		s.t.Errorf("the agent is ready, but the configuration is\n%s", s.conf())
	}
	if info, err := os.Stat(filepath.Join(s.BinDir(), "sluice-cni")); err != nil || info.Mode().Perm() != 0o755 {
		s.t.Errorf("plugin: got %v, %v; want mode 0755", info, err)
	}
}

func repaired(s *scene) {
	before, err := s.pod("shop", "early")
	if err != nil {
		s.t.Fatal(err)
	}
	after := s.ready("shop", "early")
	if before.UID != after.UID {
		s.t.Errorf("the pod was replaced: uid %s, then %s", before.UID, after.UID)
	}
	for _, st := range after.Status.ContainerStatuses {
		if st.RestartCount != 0 {
			s.t.Errorf("container %s was restarted %d times, want 0", st.Name, st.RestartCount)
		}
	}
	s.mustLand(after, captured)
	events := s.Kubectl("", "get", "events", "-n", "shop", "-o", "jsonpath={range .items[*]}{.reason} {end}")
	if got := strings.Count(events, "InterceptionRepaired"); got != 1 {
		s.t.Errorf("got %d Events InterceptionRepaired, want 1: %s", got, events)
	}
}

func deployments(s *scene) {
	s.Kubectl(Deployment("shop", "cart"), "apply", "-f", "-")
	s.Kubectl(Deployment("plain", "cart"), "apply", "-f", "-")
	s.mustLand(s.ready("shop", "cart"), captured)
	s.mustLand(s.ready("plain", "cart"), direct)
}

// apiAway runs a second sandbox of a pod that the agent knows: the runtime asks
// the plugin as it would after a node's reboot without an API server.
func apiAway(s *scene) {
	p, err := s.pod("shop", "cart")
	if err != nil {
		s.t.Fatal(err)
	}
	s.Stop("kubelet") // it would clean up the sandbox that it does not know
	s.Stop("apiserver")
	began := time.Now()
	sandbox, err := s.RunPod(containerd.PodSpec{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Annotations: p.Annotations})
	if err != nil {
		s.t.Fatalf("after %v: got %v, want the pod to start", time.Since(began), err)
	}
	proxy := sandbox.Run(containerd.Container{Name: "istio-proxy", Command: []string{"/testsidecar", "sidecar", "-dns", "0"}, UID: 1337, GID: 1337})
	proxy.WaitOutput("ready")
	for _, ip := range sandbox.IPs() {
		r, err := sidecar.Ask(s.Node.Net(rig.Root), "tcp", netip.AddrPortFrom(ip, 8080).String())
		if err != nil || r.Listener != "In" {
			s.t.Errorf("connection to %v: got %v, %v; want it captured", ip, r, err)
		}
	}
	// And a pod that nobody has heard of waits.
	_, err = s.RunPod(containerd.PodSpec{Namespace: "shop", Name: "unheard-of", Annotations: p.Annotations})
	if err == nil || !strings.Contains(err.Error(), "API server") {
		s.t.Errorf("unknown meshed pod: got %v, want a refusal that names the API server", err)
	}
	sandbox.Remove()
	s.StartAPIServer()
	s.StartKubelet()
	s.AwaitNodeReady()
}

func upgrade(s *scene) {
	before := s.agentReady()
	early, err := s.pod("shop", "early")
	if err != nil {
		s.t.Fatal(err)
	}
	began := time.Now()
	s.Kubectl("", "patch", "daemonset", "sluice-node", "-n", "sluice-system", "-p", `{"spec":{"template":{"metadata":{"annotations":{"release":"two"}}}}}`)
	s.Await("another agent", func() error {
		if !s.chained() {
			s.t.Fatalf("the entry was removed during an upgrade:\n%s", s.conf())
		}
		if now := s.agentReady(); now.UID == before.UID {
			return fmt.Errorf("still %s", now.Name)
		}
		return nil
	})
	s.figures("scale-rollout.txt", figure{"rollout on one node, from the change to the new agent's readiness", fmt.Sprintf("%.1f s", time.Since(began).Seconds())})
	s.mustLand(early, captured)
}

func reboot(s *scene) {
	s.powerCycle()
	// The pods' status is that of before until the kubelet has looked again.
	for _, want := range []struct{ namespace, app, lands string }{{"plain", "cart", direct}, {"shop", "early", captured}, {"shop", "cart", captured}} {
		s.Await(want.namespace+"/"+want.app+" to be there again", func() error {
			p, err := s.pod(want.namespace, want.app)
			if err != nil {
				return err
			}
			got := s.landed(p)
			if got == captured && want.lands == direct || got == direct && want.lands == captured {
				s.t.Fatalf("%s/%s landed at %q, want %q at any time", want.namespace, want.app, got, want.lands)
			}
			if got != want.lands {
				return fmt.Errorf("landed at %s", got)
			}
			return nil
		})
	}
	s.agentReady()
}

// unreached: a container keeps the folder that was removed, and gets another
// only when it is started again.
func unreached(s *scene) {
	before := s.agentReady()
	s.must(os.RemoveAll(filepath.Join(s.Dir, "run")))
	s.Await("the agent to start again", func() error {
		p, err := s.Client.CoreV1().Pods(before.Namespace).Get(context.Background(), before.Name, metav1.GetOptions{})
		if err == nil && p.Status.ContainerStatuses[0].RestartCount == before.Status.ContainerStatuses[0].RestartCount {
			err = errors.New("it has not ended")
		}
		return err
	})
	s.agentReady()
	if _, err := os.Stat(filepath.Join(s.Dir, "run/node.sock")); err != nil {
		s.t.Errorf("the agent is ready, but its socket: %v", err)
	}
}

func rights(s *scene) {
	for _, line := range strings.Split(s.agentLog(), "\n") {
		if strings.Contains(line, "forbidden") || strings.Contains(line, "Forbidden") {
			s.t.Errorf("the agent was refused: %s", line)
		}
	}
	for what, want := range map[string]string{
		"list pods": "yes", "delete pods": "yes", "create events": "yes",
		"get secrets": "no", "list secrets": "no", "create pods": "no", "patch pods": "no", "patch nodes": "no", "get configmaps": "no", "create pods/exec": "no",
		"list namespaces": "no", "watch namespaces": "no", "get namespaces": "no",
	} {
		s.mayDo(what, want)
	}
}

func uninstall(s *scene, original []byte) {
	running, plain := s.ready("shop", "cart"), s.ready("plain", "cart")
	s.Kubectl(s.Manifest(shippedFile), "delete", "--wait=false", "-f", "-") // the agent's rights go before the agent
	s.pluginGone()
	if got := s.conf(); !bytes.Equal(got, original) {
		s.t.Errorf("configuration: got\n%s\nwant the primary's own\n%s", got, original)
	}
	s.mustLand(running, captured)
	s.mustLand(plain, direct)
	s.Kubectl("", "delete", "deployment", "-n", "shop", "--all", "--wait=true", "--cascade=foreground")
	s.Kubectl("", "delete", "deployment", "-n", "plain", "--all", "--wait=true", "--cascade=foreground")
	s.Await("the pods to be gone", func() error {
		list, err := s.Client.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + NodeName})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d pods, the first %s: %+v", len(list.Items), list.Items[0].Name, list.Items[0].Status.Phase)
		}
		return err
	})
}
