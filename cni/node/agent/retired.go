package agent

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Retired reports whether the agent is being removed for good: its namespace
// was seen being deleted, or the DaemonSet of this name is being deleted or
// gone. Any other answer of the API server, a refusal too, is no proof: taking
// the plugin away by mistake would let pods start uncaptured.
func (a *Agent) Retired(ctx context.Context, daemonSet string) (bool, error) {
	if a.ending.Load() {
		return true, nil
	}
	d, err := a.Client.AppsV1().DaemonSets(a.Namespace).Get(ctx, daemonSet, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, err
	}
	return d.DeletionTimestamp != nil, nil
}
