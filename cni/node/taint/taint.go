// Package taint takes a start-up taint off this agent's own node once pods that
// start there pass through the plugin. A node that joins with the taint runs no
// meshed pod before that; whoever makes nodes sets it, and it is optional.
package taint

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
)

// Check refuses a key that could be anyone's: it must be "domain/name".
func Check(key string) error {
	if errs := validation.IsQualifiedName(key); len(errs) > 0 || !strings.Contains(key, "/") {
		return fmt.Errorf("taint key %q: want a name with a domain in front, as in sluice.sluicemesh.io/not-ready", key)
	}
	return nil
}

// Remove takes every taint with the key off the node. removed is false if none
// was there; nothing is written then. A node that changes meanwhile gives a
// conflict error: try again.
func Remove(ctx context.Context, client kubernetes.Interface, node, key string) (removed bool, err error) {
	n, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	left := slices.DeleteFunc(slices.Clone(n.Spec.Taints), func(t corev1.Taint) bool { return t.Key == key })
	if len(left) == len(n.Spec.Taints) {
		return false, nil
	}
	patch, err := json.Marshal([]map[string]any{
		// The list has no keys to patch by: it must be the one that was read.
		{"op": "test", "path": "/spec/taints", "value": n.Spec.Taints},
		{"op": "replace", "path": "/spec/taints", "value": left},
	})
	if err != nil {
		return false, err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, node, types.JSONPatchType, patch, metav1.PatchOptions{})
	return err == nil, err
}
