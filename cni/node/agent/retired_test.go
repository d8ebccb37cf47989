package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const ownNamespace = "sluice-system"

func agentOf(client *fake.Clientset) *Agent {
	return &Agent{Client: client, Namespace: ownNamespace, Log: slog.New(slog.DiscardHandler)}
}

func TestOnlyAnEndingDaemonSetRetiresTheAgent(t *testing.T) {
	now := metav1.Now()
	client := fake.NewClientset(
		&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: "sluice-node"}},
		&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: "ending", DeletionTimestamp: &now, Finalizers: []string{"x"}}})
	for name, want := range map[string]bool{"sluice-node": false, "gone": true, "ending": true} {
		if got, err := agentOf(client).Retired(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, want)
		}
	}
	for what, err := range map[string]error{
		"refused":         apierrors.NewForbidden(appsv1.Resource("daemonsets"), "sluice-node", nil),
		"without a token": apierrors.NewUnauthorized("Unauthorized"),
		"unanswered":      errors.New("connection refused"),
	} {
		refused := fake.NewClientset()
		refused.PrependReactor("get", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
		if got, err := agentOf(refused).Retired(t.Context(), "sluice-node"); err == nil || got {
			t.Errorf("%s: got %v, %v; want no and an error: it proves nothing", what, got, err)
		}
	}
}

// With the namespace, whoever deletes all manifests deletes the agent's rights.
func TestTheEndOfItsNamespaceRetiresTheAgentEvenWhenItMayNotAskAnyMore(t *testing.T) {
	own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ownNamespace}}
	client := fake.NewClientset(own.DeepCopy(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}})
	client.PrependReactor("get", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewUnauthorized("Unauthorized")
	})
	a := agentOf(client)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.followNamespace(ctx) }()
	ending := func(name string) {
		now := metav1.Now()
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, DeletionTimestamp: &now, Finalizers: []string{"kubernetes"}}}
		if _, err := client.CoreV1().Namespaces().Update(ctx, n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(5 * time.Second); !watched(client) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	ending("other")
	time.Sleep(50 * time.Millisecond)
	if got, err := a.Retired(ctx, "sluice-node"); got || err == nil {
		t.Errorf("another namespace ends: got %v, %v; want no and an error", got, err)
	}
	ending(ownNamespace)
	for end := time.Now().Add(5 * time.Second); !a.ending.Load() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if got, err := a.Retired(ctx, "sluice-node"); !got || err != nil {
		t.Errorf("its own ends: got %v, %v; want yes", got, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// watched reports whether the client has a watch of namespaces.
func watched(client *fake.Clientset) bool {
	for _, a := range client.Actions() {
		if a.Matches("watch", "namespaces") {
			return true
		}
	}
	return false
}
