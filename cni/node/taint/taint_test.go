package taint

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyOurTaintIsTakenOffAndNothingIsWrittenWithoutIt(t *testing.T) {
	const key = "sluice.sluicemesh.io/not-ready"
	ours := []corev1.Taint{{Key: key, Effect: corev1.TaintEffectNoSchedule}, {Key: key, Effect: corev1.TaintEffectNoExecute}}
	other := corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoSchedule}
	client := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.NodeSpec{Taints: append(ours, other)}})
	for _, want := range []bool{true, false} {
		removed, err := Remove(t.Context(), client, "a", key)
		if err != nil || removed != want {
			t.Errorf("got %v, %v; want %v", removed, err, want)
		}
	}
	n, err := client.CoreV1().Nodes().Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil || !slices.Equal(n.Spec.Taints, []corev1.Taint{other}) {
		t.Errorf("got %v, %v; want only %v", n.Spec.Taints, err, other)
	}
	var patches int
	for _, a := range client.Actions() {
		if a.GetVerb() == "patch" {
			patches++
		}
	}
	if patches != 1 {
		t.Errorf("got %d patches, want 1", patches)
	}
}

func TestAKeyWithoutADomainIsRefused(t *testing.T) {
	for key, ok := range map[string]bool{"sluice.sluicemesh.io/not-ready": true, "not-ready": false, "": false, "a b/c": false, "a/b/c": false} {
		if err := Check(key); (err == nil) != ok {
			t.Errorf("%q: got %v, want ok=%v", key, err, ok)
		}
	}
}
