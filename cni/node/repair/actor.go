package repair

import (
	"context"
	"encoding/json"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/decide"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/pods"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// Hands is the Actor of a real node.
type Hands struct {
	Client kubernetes.Interface
	Events events.Teller
	// Config is the plugin's configuration as the agent installed it: the
	// decision about a pod is the plugin's.
	Config netconf.Config
	// Apply programs the namespace of the pod as a configuration says.
	Apply func(ctx context.Context, uid string, ips []string, c builder.Config) error
	// LabelKey and LabelValue are what the mode label sets.
	LabelKey, LabelValue string
	Counted              func(Mode, Result)
	Log                  *slog.Logger
}

// Decide gives the plugin's decision about a pod that the node knows.
func Decide(config netconf.Config, p podapi.Pod) decide.Decision {
	return decide.Decide(decide.Facts{
		Args:   netconf.Args{Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Config: config, Asked: true, Pod: &p,
	})
}

// Meshed implements Actor.
func (h Hands) Meshed(p *corev1.Pod) bool {
	pod, err := pods.ToAPI(p)
	return err == nil && Decide(h.Config, pod).Outcome == decide.Program
}

// Program implements Actor.
func (h Hands) Program(ctx context.Context, p *corev1.Pod) error {
	pod, err := pods.ToAPI(p)
	if err != nil {
		return err
	}
	uid := pod.UID
	if pod.ConfigHash != "" {
		uid = pod.ConfigHash // the kubelet names a static pod's control group so
	}
	return h.Apply(ctx, uid, pod.PodIPs, Decide(h.Config, pod).Config)
}

// Delete implements Actor: this very pod, not its successor of the same name.
func (h Hands) Delete(ctx context.Context, p *corev1.Pod) error {
	only := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}}
	return h.Client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, only)
}

// Label implements Actor. The uid in the patch makes it a precondition: the API
// server refuses to change a uid.
func (h Hands) Label(ctx context.Context, p *corev1.Pod) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": p.UID, "labels": map[string]string{h.LabelKey: h.LabelValue},
	}})
	if err != nil {
		return err
	}
	_, err = h.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// Tell implements Actor.
func (h Hands) Tell(ctx context.Context, e events.Event) {
	made, err := h.Events.Tell(ctx, e)
	h.Log.Info(e.Message, "pod", e.Namespace+"/"+e.Name, "uid", e.UID, "reason", e.Reason, "event", made, "err", err)
}

// Count implements Actor.
func (h Hands) Count(m Mode, r Result) { h.Counted(m, r) }
