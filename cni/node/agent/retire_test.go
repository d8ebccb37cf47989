package agent

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestRetiringDeletesTheDaemonSetAfterItsPodsAndMayBeRepeated(t *testing.T) {
	client := fake.NewClientset(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-system", Name: "sluice-node"}})
	for range 2 {
		if err := Retire(t.Context(), client, "sluice-system", "sluice-node"); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	}
	d, ok := client.Actions()[0].(clienttesting.DeleteAction)
	if !ok || d.GetDeleteOptions().PropagationPolicy == nil || *d.GetDeleteOptions().PropagationPolicy != metav1.DeletePropagationForeground {
		t.Errorf("got %+v, want a deletion in the foreground", client.Actions()[0])
	}
	refused := fake.NewClientset()
	refused.PrependReactor("delete", "daemonsets", forbid)
	if err := Retire(t.Context(), refused, "sluice-system", "sluice-node"); err == nil {
		t.Error("refused: got nil, want the server's error")
	}
}
