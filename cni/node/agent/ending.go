package agent

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// followNamespace remembers that the agent's namespace has been seen being
// deleted. Whoever deletes it, or all manifests at once, takes the agents'
// rights away before the agents end: then it is too late to ask. A watch that
// stands is not asked for its rights again, so it brings the news in time.
func (a *Agent) followNamespace(ctx context.Context) error {
	if a.Namespace == "" {
		return nil
	}
	only := fields.OneTermEqualSelector("metadata.name", a.Namespace).String()
	informer := informers.NewFilteredNamespaceInformer(a.Client, 0, cache.Indexers{},
		func(o *metav1.ListOptions) { o.FieldSelector = only })
	err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		a.Log.Debug("watch of the agent's namespace failed, trying again", "err", err)
	})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    a.sawNamespace,
		UpdateFunc: func(_, now any) { a.sawNamespace(now) },
	})
	if err != nil {
		return err
	}
	informer.RunWithContext(ctx)
	return nil
}

func (a *Agent) sawNamespace(obj any) {
	n, ok := obj.(*corev1.Namespace)
	if ok && n.Name == a.Namespace && n.DeletionTimestamp != nil && !a.ending.Swap(true) {
		a.Log.Info("the agent's namespace is being deleted: the agent will uninstall when it ends", "namespace", n.Name)
	}
}
