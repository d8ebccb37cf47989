package pods

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Watch keeps the pods of one node up to date.
type Watch struct {
	client   kubernetes.Interface
	node     string
	informer cache.SharedIndexInformer
}

// NewWatch prepares a watch of the node's pods; Run starts it. onError is told
// every failure of the list or the watch, which is then tried again.
func NewWatch(client kubernetes.Interface, node string, onError func(error)) (*Watch, error) {
	only := fields.OneTermEqualSelector("spec.nodeName", node).String()
	informer := informers.NewFilteredPodInformer(client, metav1.NamespaceAll, 0, cache.Indexers{},
		func(o *metav1.ListOptions) { o.FieldSelector = only })
	if err := informer.SetTransform(Slim); err != nil {
		return nil, err
	}
	err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		cache.DefaultWatchErrorHandler(ctx, r, err)
		onError(err)
	})
	return &Watch{client: client, node: node, informer: informer}, err
}

// Run lists after the delay and then watches until ctx ends. The delay, chosen
// at random by the caller, spreads the lists of thousands of nodes whose agents
// start together; until then Source asks with single GETs.
func (w *Watch) Run(ctx context.Context, delay time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(delay):
	}
	w.informer.RunWithContext(ctx)
}

// Synced reports whether the first list is complete.
func (w *Watch) Synced() bool { return w.informer.HasSynced() }

// OnChange calls f for every pod that is new or changed, one after the other.
func (w *Watch) OnChange(f func(*corev1.Pod)) error {
	_, err := w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { f(obj.(*corev1.Pod)) },
		UpdateFunc: func(_, obj any) { f(obj.(*corev1.Pod)) },
	})
	return err
}

// Pods gives all pods of the node that the store knows, in no order.
func (w *Watch) Pods() []*corev1.Pod {
	var all []*corev1.Pod
	for _, obj := range w.informer.GetStore().List() {
		all = append(all, obj.(*corev1.Pod))
	}
	return all
}

// Source answers from this watch's store and by its client.
func (w *Watch) Source() Source {
	return Source{
		Node: w.node,
		Stored: func(key string) (*corev1.Pod, bool) {
			obj, ok, err := w.informer.GetStore().GetByKey(key)
			if err != nil || !ok {
				return nil, false
			}
			return obj.(*corev1.Pod), true
		},
		Get: func(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
			return w.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		},
	}
}
