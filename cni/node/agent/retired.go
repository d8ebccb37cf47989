package agent

import (
	"context"
	"time"

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

// Retire deletes the agent's DaemonSet and waits until its pods are gone, so
// that each of them finds its DaemonSet ending, and its own rights still there,
// and uninstalls. A chart runs it before anything else is deleted.
func Retire(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	wait := metav1.DeletePropagationForeground // the DaemonSet goes last, after its pods
	sets := client.AppsV1().DaemonSets(namespace)
	err := sets.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &wait})
	for err == nil {
		if _, err = sets.Get(ctx, name, metav1.GetOptions{}); err != nil {
			break
		}
		pause(ctx, time.Second)
		err = ctx.Err()
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
