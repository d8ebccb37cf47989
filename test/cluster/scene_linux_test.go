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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

const (
	primaryFile = "10-pods.conflist"
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
	s.pluginGone()
}

func (s *scene) pluginGone() {
	s.t.Helper()
	s.Await("the plugin to be gone", func() error {
		if _, err := os.Stat(filepath.Join(s.BinDir(), "sluice-cni")); err == nil {
			return fmt.Errorf("it is there")
		}
		return nil
	})
}

// mayDo asks the API server about the agent's rights.
func (s *scene) mayDo(what, want string) {
	s.t.Helper()
	verb, resource, _ := strings.Cut(what, " ")
	if got := s.can(verb, resource); got != want {
		s.t.Errorf("may the agent %s: got %s, want %s", what, got, want)
	}
}
