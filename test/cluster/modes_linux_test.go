//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/cni/node/conflist"
)

const (
	startupTaint = "sluice.sluicemesh.io/starting"
	otherTaint   = "a.test/other"
	ownedFile    = "00-sluice-cni.conflist"
)

// TestTheAgentsModesOnANode goes through what the chart can turn on, one
// release after the other.
func TestTheAgentsModesOnANode(t *testing.T) {
	c := Start(t)
	s := &scene{Cluster: c, t: t}
	c.Conflist(primaryFile, c.primary())
	original := s.conf()
	c.BuildAgent()
	c.Inject()
	for _, namespace := range []string{"plain", "shop", Namespace} {
		c.Kubectl("", "create", "namespace", namespace)
	}
	c.Kubectl("", "label", "namespace", "shop", InjectLabel+"=enabled")
	c.AwaitNodeReady()

	s.step("mode label: a broken pod is labelled and otherwise left alone", labelled)
	s.step("mode delete: the broken pod is deleted and its successor is captured", deleted)
	s.step("modes repair and delete: a broken Job that is never restarted is reported as not repairable in place, deleted, and captured anew", job)
	s.step("the start-up taint goes when the agent is ready, and no other", untainted)
	s.step("the list of our own stands in front of the primary's file, which is as it was", func(s *scene) { owned(s, original) })
	s.step("a native sidecar is captured", nativeSidecar)
	s.step("after a reboot a meshed pod waits for the agent and an unmeshed one starts", waitsForTheAgent)
	s.step("an uninstall by hand takes the list of our own away", func(s *scene) { disowned(s, original) })
}

// release applies the chart with these values and waits for its agent.
func (s *scene) release(values ...string) {
	s.t.Helper()
	s.Kubectl(s.here(s.Rendered(values...)), "apply", "-f", "-")
	s.Kubectl("", "rollout", "status", "-n", Namespace, "daemonset/sluice-node", "--timeout=120s")
}

// told counts the Events of this reason about the pod, and gives the last text.
func (s *scene) told(p *corev1.Pod, reason string) (times int, text string) {
	s.t.Helper()
	list, err := s.Client.CoreV1().Events(p.Namespace).List(context.Background(), metav1.ListOptions{})
	s.must(err)
	for _, e := range list.Items {
		if e.Reason == reason && e.InvolvedObject.Name == p.Name {
			times, text = times+1, e.Message
		}
	}
	return times, text
}

func (s *scene) mustBeTold(p *corev1.Pod, reason, says string) {
	s.t.Helper()
	s.Await("the Event "+reason, func() error { return s.once(p, reason) })
	if times, text := s.told(p, reason); times != 1 || !strings.Contains(text, says) {
		s.t.Errorf("Events %s about %s: got %d, the last %q; want 1 that says %q", reason, p.Name, times, text, says)
	}
}

func labelled(s *scene) {
	s.Kubectl(Deployment("shop", "early"), "apply", "-f", "-")
	before := s.broken("shop", "early")
	s.release("repair.modes={label}")
	s.Await("the label", func() error {
		p, err := s.pod("shop", "early")
		if err == nil && p.Labels["sluice.sluicemesh.io/uninitialized"] != "true" {
			err = fmt.Errorf("labels %v", p.Labels)
		}
		return err
	})
	after := s.broken("shop", "early")
	if after.UID != before.UID {
		s.t.Errorf("the pod was replaced: uid %s, then %s", before.UID, after.UID)
	}
	s.mustBeTold(before, "InterceptionPodLabelled", "labelled for someone to act on")
	s.mayDo("delete pods", "no")
}

// once is nil when there is such an Event: it follows the deed.
func (s *scene) once(p *corev1.Pod, reason string) error {
	if times, _ := s.told(p, reason); times == 0 {
		return fmt.Errorf("no Event %s", reason)
	}
	return nil
}

func deleted(s *scene) {
	before := s.broken("shop", "early")
	s.release("repair.modes={delete}")
	s.replaced(before, "early")
	s.mustBeTold(before, "InterceptionPodDeleted", "its controller makes another")
	s.mayDo("patch pods", "no")
}

// replaced waits for another pod of the app, which must be captured.
func (s *scene) replaced(before *corev1.Pod, app string) {
	s.t.Helper()
	s.Await("another pod of "+app, func() error {
		p, err := s.pod(before.Namespace, app)
		if err == nil && p.UID == before.UID {
			err = errors.New("it is still the same")
		}
		return err
	})
	s.mustLand(s.ready(before.Namespace, app), captured)
}

func job(s *scene) {
	s.retire()
	s.Kubectl(Job("shop", "once"), "apply", "-f", "-")
	before := s.broken("shop", "once")
	s.Kubectl("", "taint", "node", NodeName, startupTaint+"=:NoSchedule", otherTaint+"=:PreferNoSchedule")
	s.release("repair.modes={repair,delete}", "startupTaint="+startupTaint, "cni.ownedConflist=true")
	s.replaced(before, "once")
	s.mustBeTold(before, "InterceptionNotRepaired", "not repairable in place")
	s.mustBeTold(before, "InterceptionPodDeleted", "its controller makes another")
}

// untainted looks at the taints that the step before set: the Job's second pod
// could not have been scheduled under the first of them.
func untainted(s *scene) {
	s.Await("the taint to be gone", func() error {
		n, err := s.Client.CoreV1().Nodes().Get(context.Background(), NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		var keys []string
		for _, t := range n.Spec.Taints {
			keys = append(keys, t.Key)
		}
		if got := strings.Join(keys, " "); got != otherTaint {
			return fmt.Errorf("taints %q, want %q", got, otherTaint)
		}
		return nil
	})
}

func owned(s *scene, original []byte) {
	raw, err := os.ReadFile(filepath.Join(s.ConfDir(), ownedFile))
	s.must(err)
	l, err := conflist.Parse(raw)
	if err != nil {
		s.t.Fatalf("%v in\n%s", err, raw)
	}
	if got := strings.Join(l.Types(), " "); got != "ptp sluice-cni" {
		s.t.Errorf("got the chain %q, want ptp sluice-cni", got)
	}
	if got := s.conf(); !bytes.Equal(got, original) {
		s.t.Errorf("the primary's file: got\n%s\nwant\n%s", got, original)
	}
}

func nativeSidecar(s *scene) {
	s.Kubectl(Deployment("shop", "native", NativeSidecar+`: "true"`), "apply", "-f", "-")
	p := s.ready("shop", "native")
	if len(p.Spec.Containers) != 1 || len(p.Spec.InitContainers) != 2 {
		s.t.Fatalf("got %d containers and %d init containers, want the application alone beside a native sidecar", len(p.Spec.Containers), len(p.Spec.InitContainers))
	}
	s.mustLand(p, captured)
}

// waitsForTheAgent keeps the agent away by a node selector, which is no
// uninstall: its DaemonSet is there.
func waitsForTheAgent(s *scene) {
	s.Kubectl(Deployment("plain", "cart"), "apply", "-f", "-")
	s.ready("plain", "cart")
	s.Kubectl("", "patch", "daemonset", "sluice-node", "-n", Namespace, "-p", `{"spec":{"template":{"spec":{"nodeSelector":{"agent":"yes"}}}}}`)
	s.agentAway()
	s.powerCycle()
	s.Await("the unmeshed pod", func() error {
		p, err := s.pod("plain", "cart")
		if err == nil && s.landed(p) != direct {
			err = fmt.Errorf("landed at %q", s.landed(p))
		}
		return err
	})
	meshed, err := s.pod("shop", "early")
	s.must(err)
	s.Await("the meshed pod's refusal", func() error {
		if times, text := s.told(meshed, "FailedCreatePodSandBox"); times == 0 || !strings.Contains(text, "node.sock") {
			return fmt.Errorf("%d Events, the last %q", times, text)
		}
		return nil
	})
	if got := s.landed(meshed); got == captured || got == direct {
		s.t.Errorf("without an agent the meshed pod landed at %q, want it not to run", got)
	}
	s.Kubectl("", "label", "node", NodeName, "agent=yes")
	s.agentReady()
	s.Await("the meshed pod", func() error {
		p, err := s.pod("shop", "early")
		if err == nil && s.landed(p) != captured {
			err = fmt.Errorf("landed at %q", s.landed(p))
		}
		return err
	})
	if p, err := s.pod("shop", "early"); err != nil || p.UID != meshed.UID {
		s.t.Errorf("got %v, want the same pod: it waited, and was never broken", err)
	}
}

func (s *scene) agentAway() {
	s.t.Helper()
	s.Await("the agent to be away", func() error {
		list, err := s.Client.CoreV1().Pods(Namespace).List(context.Background(), metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d pods", len(list.Items))
		}
		return err
	})
}

// disowned runs what docs/install.md says for a node whose agent is away; the
// folders are named, since this node's are not where a real one's are.
func disowned(s *scene, original []byte) {
	s.Kubectl("", "label", "node", NodeName, "agent-")
	s.agentAway()
	s.Kubectl("", "debug", "-n", "kube-system", "node/"+NodeName, "--profile=sysadmin", "--image="+AgentImage, "--",
		"/usr/local/bin/sluice-node", "uninstall", "--host-root=/host", "--conf-dir="+s.ConfDir(), "--bin-dir="+s.BinDir())
	s.pluginGone()
	if _, err := os.Stat(filepath.Join(s.ConfDir(), ownedFile)); !os.IsNotExist(err) {
		s.t.Errorf("the list of our own: got %v, want it gone", err)
	}
	if got := s.conf(); !bytes.Equal(got, original) {
		s.t.Errorf("the primary's file: got\n%s\nwant\n%s", got, original)
	}
}
