package pods

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// Via says where an answer came from.
type Via string

// The sources of an answer.
const (
	Cache   Via = "cache"   // the store knew the pod
	Live    Via = "live"    // one GET found it
	Unknown Via = "unknown" // one GET did not find it, or another pod of its name
	Failed  Via = "failed"  // the API server did not answer
)

// Source answers for the pods of one node.
type Source struct {
	// Node is this node's name; pods of others are not answered for.
	Node string
	// Stored finds a pod in the store by its key.
	Stored func(key string) (*corev1.Pod, bool)
	// Get asks the API server for one pod.
	Get func(ctx context.Context, namespace, name string) (*corev1.Pod, error)
}

// Answer answers one request: from the store if it knows this very pod, else
// by one GET. A stored pod of another uid is the predecessor of the one asked
// for, whose event is still on its way.
func (s Source) Answer(ctx context.Context, q podapi.Request) (podapi.Response, Via) {
	if p, ok := s.Stored(q.Namespace + "/" + q.Name); ok {
		if pod, err := ToAPI(p); err == nil && pod.Is(q.UID) {
			return podapi.Response{Found: true, Pod: &pod}, Cache
		}
	}
	p, err := s.Get(ctx, q.Namespace, q.Name)
	switch {
	case apierrors.IsNotFound(err):
		return podapi.Response{}, Unknown
	case err != nil:
		return podapi.Response{Error: fmt.Sprintf("pod is not in the cache, and the API server did not give it: %v", err)}, Failed
	}
	return s.live(p, q)
}

func (s Source) live(p *corev1.Pod, q podapi.Request) (podapi.Response, Via) {
	pod, err := ToAPI(slimPod(p))
	switch {
	case err != nil:
		return podapi.Response{Error: err.Error()}, Failed
	case p.Spec.NodeName != s.Node || !pod.Is(q.UID):
		return podapi.Response{}, Unknown
	}
	return podapi.Response{Found: true, Pod: &pod}, Live
}

// ToAPI gives what a decision reads of the pod. It goes through the reader of
// manifests, so that a pod means the same here and on the command line.
func ToAPI(p *corev1.Pod) (podapi.Pod, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return podapi.Pod{}, err
	}
	pod, err := podsettings.Decode(doc)
	if err != nil {
		return podapi.Pod{}, err
	}
	for _, ip := range p.Status.PodIPs {
		pod.PodIPs = append(pod.PodIPs, ip.IP)
	}
	return pod, nil
}
