//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluicemesh/sluice/cni/node/repair"
)

// attachments defines Multus's kind, whose own definition says no more than
// that there is a configuration.
const attachments = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: network-attachment-definitions.k8s.cni.cncf.io}
spec:
  group: k8s.cni.cncf.io
  scope: Namespaced
  names: {plural: network-attachment-definitions, singular: network-attachment-definition, kind: NetworkAttachmentDefinition}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {config: {type: string}}}}}}
`

// renderings are the chart's values that bring or change objects.
var renderings = [][]string{
	{},
	{"repair.modes={repair}"},
	{"repair.modes={delete}"},
	{"repair.modes={label}"},
	{"repair.modes={repair,delete,label}", "cni.backend=nftables"},
	{"repair.modes={delete,label}", "cni.backend=iptables-legacy", "cni.logFile=/var/log/sluice-cni.log"},
	{"startupTaint=sluice.sluicemesh.io/starting"},
	{"cni.ownedConflist=true", "cni.confFile=10-x.conflist"},
	{"cni.multus=true"},
	{"platform=openshift", "cni.multus=false"},
	{"networkPolicy.enabled=true", "podDisruptionBudget.enabled=true", "resourceQuota=true"},
	{"image.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000", "image.pullSecrets[0].name=pull"},
	{"seLinuxOptions.type=spc_t", "nodeSelector.pool=mesh", "podLabels.team=a", "podAnnotations.note=b"},
	{"cni.strict=true", "cni.ports.outbound=15101", "updateStrategy.rollingUpdate.maxUnavailable=1%"},
}

// TestTheChartInARealAPIServer runs without a kubelet: the shipped manifests
// name this machine's own folders, which no test may write to.
func TestTheChartInARealAPIServer(t *testing.T) {
	c := Start(t)
	c.Stop("kubelet")
	s := &scene{Cluster: c, t: t}
	c.Kubectl("", "create", "namespace", Namespace)
	c.Kubectl(attachments, "apply", "-f", "-")
	c.Kubectl("", "wait", "--for=condition=Established", "--timeout=60s", "crd/network-attachment-definitions.k8s.cni.cncf.io")

	s.step("a misspelt field is refused", misspelt)
	s.step("every rendering is accepted with strict validation", everyRendering)
	s.step("helm installs it, upgrades it and uninstalls it", helmRelease)
	s.step("a repair by delete or label is refused for another pod of the same name", successor)
}

// presets are the platforms that the chart knows.
func (c *Cluster) presets() (names []string) {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(Chart(), "presets/*.yaml"))
	c.must(err)
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	if len(names) == 0 {
		c.t.Fatal("the chart has no presets")
	}
	return names
}

// dryRun has the API server judge the objects, fields that it does not know too.
func (s *scene) dryRun(objects string) (accepted int, refusal string) {
	s.t.Helper()
	res := s.TryKubectl(objects, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
	if res.Code != 0 {
		refusal = res.Stderr
	}
	return strings.Count(res.Stdout, "(server dry run)"), refusal
}

func misspelt(s *scene) {
	text := strings.Replace(s.Rendered(), "hostNetwork:", "hostNetwrok:", 1)
	if _, refusal := s.dryRun(text); !strings.Contains(refusal, "hostNetwrok") {
		s.t.Errorf("got %q, want a refusal of the field hostNetwrok", refusal)
	}
}

func everyRendering(s *scene) {
	all := renderings
	for _, platform := range s.presets() {
		all = append(all, []string{"platform=" + platform}, []string{"platform=" + platform, "repair.modes={repair,delete,label}", "startupTaint=a.test/b"})
	}
	for _, values := range all {
		text := s.Rendered(values...)
		want := strings.Count("\n"+text, "\nkind: ")
		if got, refusal := s.dryRun(text); refusal != "" || got != want {
			s.t.Errorf("values %q: got %d of %d objects accepted and %s", values, got, want, refusal)
		}
	}
}

// helmRelease also asks the API server itself what the agent may do.
func helmRelease(s *scene) {
	s.Helm("install", "sluice", Chart())
	s.mayDo("delete pods", "no")
	s.mayDo("patch pods", "no")
	s.mayDo("patch nodes", "no")
	s.Await("the DaemonSet to make its pod", func() error {
		d, err := s.Client.AppsV1().DaemonSets(Namespace).Get(context.Background(), "sluice-node", metav1.GetOptions{})
		if err == nil && d.Status.CurrentNumberScheduled != 1 {
			err = fmt.Errorf("status %+v", d.Status)
		}
		return err
	})
	s.Helm(append([]string{"upgrade", "sluice", Chart()}, sets([]string{
		"repair.modes={repair,delete,label}", "startupTaint=a.test/b", "cni.multus=true", "networkPolicy.enabled=true", "podDisruptionBudget.enabled=true"})...)...)
	s.mayDo("delete pods", "yes")
	s.mayDo("patch pods", "yes")
	s.mayDo("patch nodes", "yes")
	s.Kubectl("", "get", "-n", Namespace, "networkpolicy/sluice-node", "poddisruptionbudget/sluice-node", "network-attachment-definitions/sluice-cni")
	s.Helm("uninstall", "sluice")
	left := s.Kubectl("", "get", "-n", Namespace, "--ignore-not-found", "-o", "name", "daemonset/sluice-node", "configmap/sluice-node",
		"networkpolicy/sluice-node", "serviceaccount/sluice-node", "role.rbac.authorization.k8s.io/sluice-node")
	const want = "serviceaccount/sluice-node role.rbac.authorization.k8s.io/sluice-node"
	if got := strings.Join(strings.Fields(left), " "); got != want {
		s.t.Errorf("after helm uninstall: got %s, want only what ending agents ask with: %s", got, want)
	}
}

// successor: a StatefulSet's next pod has the name of the one before.
func successor(s *scene) {
	ctx, pods := context.Background(), s.Client.CoreV1().Pods("default")
	s.Await("the pod to be made", func() error {
		_, err := pods.Create(ctx, onNode("node-b", 0), metav1.CreateOptions{})
		return err
	})
	now, err := pods.Get(ctx, "node-b-0", metav1.GetOptions{})
	s.must(err)
	before := now.DeepCopy()
	before.UID = "11111111-2222-3333-4444-555555555555"
	hands := repair.Hands{Client: s.Client, LabelKey: "a.test/broken", LabelValue: "true", Log: slog.New(slog.DiscardHandler)}
	for name, act := range map[string]func(context.Context, *corev1.Pod) error{"delete": hands.Delete, "label": hands.Label} {
		if err := act(ctx, before); err == nil {
			s.t.Errorf("%s of a pod that is no more: got no error, want a refusal", name)
		}
	}
	after, err := pods.Get(ctx, now.Name, metav1.GetOptions{})
	s.must(err)
	if after.ResourceVersion != now.ResourceVersion {
		s.t.Errorf("its successor was changed: labels %v, deletion %v", after.Labels, after.DeletionTimestamp)
	}
	s.must(hands.Label(ctx, now))
	if after, err = pods.Get(ctx, now.Name, metav1.GetOptions{}); err != nil || after.Labels["a.test/broken"] != "true" {
		s.t.Errorf("the pod itself: got %v, labels %v; want it labelled", err, after.Labels)
	}
	s.must(hands.Delete(ctx, now))
}
