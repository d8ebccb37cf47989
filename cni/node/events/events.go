// Package events tells the owners of pods what the node agent did with them,
// as Kubernetes Events. An Event's name is made of what it is about, so that
// telling the same thing twice, also after a restart of the agent, makes one.
package events

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Component is the source that Events carry.
const Component = "sluice-node"

// maxMessage is what the API server accepts of an Event's message, in bytes.
const maxMessage = 1024

// Teller makes Events from this node.
type Teller struct {
	Client kubernetes.Interface
	Node   string
	Now    func() time.Time
}

// Event is one thing to tell.
type Event struct {
	Namespace, Name string
	UID             types.UID // of the pod
	// Node says that Name is a node and not a pod; Namespace and UID don't count.
	Node    bool
	Warning bool
	Reason  string // CamelCase, stable
	Message string
	// Once is what makes this telling different from others of the same pod and
	// reason: a container id, an attempt.
	Once string
}

// Tell makes the Event unless it is there already. made is false then.
func (t Teller) Tell(ctx context.Context, e Event) (made bool, err error) {
	now := metav1.NewTime(t.Now())
	kind := corev1.EventTypeNormal
	if e.Warning {
		kind = corev1.EventTypeWarning
	}
	about := e.about()
	namespace := about.Namespace
	if e.Node {
		namespace = metav1.NamespaceDefault // where Events of things without a namespace go
	}
	_, err = t.Client.CoreV1().Events(namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: e.name()},
		InvolvedObject: about,
		Type:           kind, Reason: e.Reason, Message: short(e.Message),
		Source:         corev1.EventSource{Component: Component, Host: t.Node},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// about refers to a node as the kubelet does, with its name for a uid: so
// `kubectl describe node` finds the Event.
func (e Event) about() corev1.ObjectReference {
	if e.Node {
		return corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: e.Name, UID: types.UID(e.Name)}
	}
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: e.Namespace, Name: e.Name, UID: e.UID}
}

// name is "pod.hash", as the API convention has it, and at most 253 bytes.
func (e Event) name() string {
	const longest = 253 - 1 - 16
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", e.about().UID, e.Reason, e.Once))
	return e.Name[:min(longest, len(e.Name))] + "." + hex.EncodeToString(sum[:8])
}

// short cuts at a rune.
func short(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage - len("…")
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
