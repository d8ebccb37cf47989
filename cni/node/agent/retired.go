package agent

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Retired reports whether the agent's DaemonSet is being deleted or gone. Any
// other answer of the API server, a refusal too, is no proof: taking the
// plugin away by mistake would let pods start uncaptured.
func Retired(ctx context.Context, client kubernetes.Interface, namespace, name string) (bool, error) {
	d, err := client.AppsV1().DaemonSets(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, err
	}
	return d.DeletionTimestamp != nil, nil
}
