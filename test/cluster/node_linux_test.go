//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/test/containerd"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

const (
	primaryFile = "10-pods.conflist"
	shippedFile = "sluice-repair.yaml"
	captured    = "In In"
	direct      = "app app"
)

// scene is one cluster that all the steps use, each relying on those before.
type scene struct {
	*Cluster
	t *testing.T
}

func (s *scene) step(name string, f func(*scene)) {
	s.t.Helper()
	outer, inner := s.t, s.Cluster.t
	ok := s.t.Run(name, func(t *testing.T) {
		s.t, s.Cluster.t = t, t
		defer func() { s.t, s.Cluster.t = outer, inner }()
		f(s)
	})
	if !ok {
		s.logs()
		s.t.FailNow() // the later steps rely on this one
	}
}

// pod is the one pod of an app that is not ending, once there is one.
func (s *scene) pod(namespace, app string) (*corev1.Pod, error) {
	list, err := s.Client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, err
	}
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			return &p, nil
		}
	}
	return nil, fmt.Errorf("no pod of %s/%s", namespace, app)
}

// ready waits until the app's pod is ready.
func (s *scene) ready(namespace, app string) (pod *corev1.Pod) {
	s.t.Helper()
	s.Await(namespace+"/"+app+" to be ready", func() (err error) {
		if pod, err = s.pod(namespace, app); err != nil {
			return err
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("status %+v", pod.Status)
	})
	return pod
}

// landed says who answers at the pod's addresses.
func (s *scene) landed(p *corev1.Pod) string {
	var who []string
	for _, ip := range p.Status.PodIPs {
		r, err := sidecar.Ask(s.Node.Net(rig.Root), "tcp", netip.AddrPortFrom(netip.MustParseAddr(ip.IP), 8080).String())
		if err != nil {
			r.Listener = "nobody"
		}
		who = append(who, r.Listener)
	}
	return strings.Join(who, " ")
}

func (s *scene) mustLand(p *corev1.Pod, want string) {
	s.t.Helper()
	if got := s.landed(p); got != want {
		s.t.Errorf("connections to %s/%s landed at %q, want %q", p.Namespace, p.Name, got, want)
	}
}

func (s *scene) conf() []byte {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.ConfDir(), primaryFile))
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// chained says whether the plugin is last in the loaded list, which must be
// valid whenever one looks.
func (s *scene) chained() bool {
	s.t.Helper()
	l, err := conflist.Parse(s.conf())
	if err != nil {
		s.t.Fatalf("the configuration is not valid: %v\n%s", err, s.conf())
	}
	types := l.Types()
	return types[len(types)-1] == "sluice-cni"
}

func (s *scene) agentReady() *corev1.Pod {
	s.t.Helper()
	var pod *corev1.Pod
	s.Await("the agent to be ready", func() error {
		list, err := s.Client.CoreV1().Pods("sluice-system").List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, p := range list.Items {
			if p.DeletionTimestamp == nil && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready {
				pod = &p
				return nil
			}
		}
		return fmt.Errorf("pods %v", list.Items)
	})
	return pod
}

// agentLog is what the agents of this node wrote, the ended ones too.
func (s *scene) agentLog() string {
	files, _ := filepath.Glob(filepath.Join(s.dir, "pods/sluice-system_*/agent/*.log"))
	var all bytes.Buffer
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		all.Write(raw)
	}
	return all.String()
}

func (s *scene) logs() {
	s.t.Logf("agents said:\n%s", s.agentLog())
	s.t.Logf("kubectl:\n%s", s.Kubectl("", "get", "pods,daemonsets", "-A", "-o", "wide"))
	s.t.Logf("events:\n%s", s.Kubectl("", "get", "events", "-A", "-o", "custom-columns=ABOUT:.involvedObject.name,REASON:.reason,MESSAGE:.message"))
}

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
	s.step("the agent was never refused what it asked for, and may do no more", rights)
	s.step("an uninstall leaves running pods running and deletable, and the configuration as it was", func(s *scene) { uninstall(s, original) })
}

func beforeTheAgent(s *scene) {
	s.Kubectl(Deployment("shop", "early"), "apply", "-f", "-")
	s.broken("shop", "early")
}

// broken waits until the app's pod has failed its validation.
func (s *scene) broken(namespace, app string) (pod *corev1.Pod) {
	s.t.Helper()
	s.Await("the validation of "+namespace+"/"+app+" to fail", func() (err error) {
		if pod, err = s.pod(namespace, app); err != nil {
			return err
		}
		for _, st := range pod.Status.InitContainerStatuses {
			for _, state := range []corev1.ContainerState{st.State, st.LastTerminationState} {
				if state.Terminated != nil && state.Terminated.ExitCode == 126 {
					return nil
				}
			}
		}
		return fmt.Errorf("init containers %+v", pod.Status.InitContainerStatuses)
	})
	return pod
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

// powerCycle ends every pod and process of the node, empties its run directory
// and starts the node again.
func (s *scene) powerCycle() {
	s.t.Helper()
	s.Stop("kubelet")
	s.RemoveAll()
	s.must(os.RemoveAll(filepath.Join(s.Dir, "run")))
	s.Restart()
	s.StartKubelet()
	s.AwaitNodeReady()
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

func rights(s *scene) {
	for _, line := range strings.Split(s.agentLog(), "\n") {
		if strings.Contains(line, "forbidden") || strings.Contains(line, "Forbidden") {
			s.t.Errorf("the agent was refused: %s", line)
		}
	}
	for what, want := range map[string]string{
		"list pods": "yes", "delete pods": "yes", "create events": "yes",
		"get secrets": "no", "list secrets": "no", "create pods": "no", "patch pods": "no", "patch nodes": "no", "get configmaps": "no", "create pods/exec": "no",
	} {
		s.mayDo(what, want)
	}
}

func (s *scene) can(verb, resource string) string {
	s.t.Helper()
	res := s.Node.Run(rig.Root, filepath.Join(s.bin, "kubectl"), "--kubeconfig="+s.dir+"/admin.kubeconfig", "auth", "can-i", verb, resource,
		"--all-namespaces", "--as=system:serviceaccount:sluice-system:sluice-node")
	return strings.TrimSpace(res.Stdout)
}

// retire deletes the agent and waits until it has uninstalled.
func (s *scene) retire() {
	s.t.Helper()
	s.Kubectl("", "delete", "daemonset", "sluice-node", "-n", "sluice-system")
	s.Await("the plugin to be gone", func() error {
		if _, err := os.Stat(filepath.Join(s.BinDir(), "sluice-cni")); err == nil {
			return fmt.Errorf("it is there")
		}
		return nil
	})
}

func uninstall(s *scene, original []byte) {
	running, plain := s.ready("shop", "cart"), s.ready("plain", "cart")
	s.retire()
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
