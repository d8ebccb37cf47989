package pods

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// The API server of these tests is client-go's fake: an object tracker without
// field selectors, authorization or relists. test/cluster has the real one.

func meshed(name, uid string) *corev1.Pod {
	uid1000, always := int64(1000), corev1.ContainerRestartPolicyAlways
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(uid),
			Labels: map[string]string{podapi.InjectKey: "true", "app": name},
			Annotations: map[string]string{
				podapi.StatusAnnotation:                            strings.Repeat("s", 4000),
				"traffic.sidecar.istio.io/excludeOutboundPorts":    "3306",
				"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat("x", 200_000),
			},
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: strings.Repeat("m", 1000)}},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Job", Name: "j", UID: "o"}},
		},
		Spec: corev1.PodSpec{
			NodeName:        "node-a",
			RestartPolicy:   corev1.RestartPolicyNever,
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &uid1000},
			InitContainers: []corev1.Container{{Name: "istio-validation"}, {
				Name: podapi.ProxyName, RestartPolicy: &always, Args: []string{"proxy", "sidecar", "--domain"},
				SecurityContext: &corev1.SecurityContext{RunAsUser: &uid1000},
				Env: []corev1.EnvVar{{Name: "SECRET", Value: "x"}, {Name: "ISTIO_META_DNS_CAPTURE", Value: "true"},
					{Name: "INVALID_DROP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "a"}}}},
			}},
			Containers: []corev1.Container{{Name: "app", Env: []corev1.EnvVar{{Name: "SLUICE_X", Value: "y"}}}},
			Volumes:    []corev1.Volume{{Name: strings.Repeat("v", 1000)}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending, PodIP: "192.0.2.7", PodIPs: []corev1.PodIP{{IP: "192.0.2.7"}, {IP: "2001:db8::7"}},
			InitContainerStatuses: []corev1.ContainerStatus{{
				Name: "istio-validation", RestartCount: 3,
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 126, Message: strings.Repeat("m", 4000)}},
			}},
		},
	}
}

func TestASlimPodMeansTheSameToADecisionAndIsSmall(t *testing.T) {
	whole := meshed("cart", "u1")
	want, err := ToAPI(whole)
	if err != nil {
		t.Fatal(err)
	}
	want.Annotations[podapi.StatusAnnotation] = want.Annotations[podapi.StatusAnnotation][:statusLimit]
	slim := slimPod(whole)
	got, err := ToAPI(slim)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
	}
	if again := slimPod(slim); !reflect.DeepEqual(again, slim) {
		t.Errorf("slimmed twice: got %+v, want %+v", again, slim)
	}
	doc, _ := json.Marshal(slim)
	if len(doc) > 4096 || strings.Contains(string(doc), "SECRET") {
		t.Errorf("got %d bytes, want at most 4096 and no variable that no one reads:\n%s", len(doc), doc)
	}
	if len(got.PodIPs) != 2 || got.InitContainers[1].ProxyType != "sidecar" || !got.InitContainers[1].Env[1].ValueFrom {
		t.Errorf("got %+v, want both addresses, the proxy's type and valueFrom", got)
	}
}

// apiServer counts what it is asked.
type apiServer struct {
	pods map[string]*corev1.Pod
	err  error
	gets int
}

func (a *apiServer) get(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	a.gets++
	if a.err != nil {
		return nil, a.err
	}
	if p, ok := a.pods[namespace+"/"+name]; ok {
		return p, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, name)
}

func TestAnAnswerComesFromTheCacheElseFromOneGet(t *testing.T) {
	other := meshed("far", "u5")
	other.Spec.NodeName = "node-b"
	static := meshed("static", "mirror")
	static.Annotations[podapi.ConfigHashAnnotation] = "hash"
	server := map[string]*corev1.Pod{"shop/cart": meshed("cart", "u2"), "shop/new": meshed("new", "u3"), "shop/far": other}
	stored := map[string]*corev1.Pod{"shop/cart": slimPod(meshed("cart", "u1")), "shop/static": slimPod(static)}
	away := errors.New("connection refused")
	for _, tt := range []struct {
		name, pod, uid string
		err            error
		via            Via
		found          bool
		gets           int
	}{
		{"in the cache", "cart", "u1", nil, Cache, true, 0},
		{"in the cache, API server away", "cart", "u1", away, Cache, true, 0},
		{"in the cache, no uid handed over", "cart", "", nil, Cache, true, 0},
		{"static pod by its hash", "static", "hash", nil, Cache, true, 0},
		{"recreated under its name", "cart", "u2", nil, Live, true, 1},
		{"recreated, API server away", "cart", "u2", away, Failed, false, 1},
		{"not in the cache", "new", "u3", nil, Live, true, 1},
		{"not in the cache, wrong uid", "new", "u9", nil, Unknown, false, 1},
		{"of another node", "far", "u5", nil, Unknown, false, 1},
		{"nowhere", "none", "u7", nil, Unknown, false, 1},
	} {
		api := &apiServer{pods: server, err: tt.err}
		s := Source{Node: "node-a", Get: api.get, Stored: func(key string) (*corev1.Pod, bool) { p, ok := stored[key]; return p, ok }}
		res, via := s.Answer(context.Background(), podapi.Request{Namespace: "shop", Name: tt.pod, UID: tt.uid})
		if via != tt.via || res.Found != tt.found || api.gets != tt.gets || (res.Error != "") != (via == Failed) {
			t.Errorf("%s: got %s, found %v, %d GETs, error %q; want %s, %v, %d", tt.name, via, res.Found, api.gets, res.Error, tt.via, tt.found, tt.gets)
		}
	}
}

func TestTheWatchStoresSlimPodsAndTellsChanges(t *testing.T) {
	client := fake.NewClientset(meshed("cart", "u1"))
	w, err := NewWatch(client, "node-a", func(err error) { t.Errorf("watch: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 10)
	if err := w.OnChange(func(p *corev1.Pod) { seen <- p.Name }); err != nil {
		t.Fatal(err)
	}
	if w.Synced() {
		t.Error("synced before it ran")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Run(ctx, time.Millisecond); close(done) }()
	want(t, seen, "cart")
	if _, err := client.CoreV1().Pods("shop").Create(ctx, meshed("till", "u2"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	want(t, seen, "till")
	for _, p := range w.Pods() {
		if p.ManagedFields != nil || len(p.Spec.Volumes) > 0 {
			t.Errorf("%s is stored whole", Key(p))
		}
	}
	res, via := w.Source().Answer(ctx, podapi.Request{Namespace: "shop", Name: "till", UID: "u2"})
	if !res.Found || via != Cache || !w.Synced() {
		t.Errorf("got found %v via %s, synced %v; want the pod from the cache", res.Found, via, w.Synced())
	}
	cancel()
	<-done
}

func want(t *testing.T, seen chan string, name string) {
	t.Helper()
	select {
	case got := <-seen:
		if got != name {
			t.Errorf("got %s, want %s", got, name)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("5s without %s", name)
	}
}

func TestTwoHundredFiftyPodsWithHugeAnnotationsTakeLittleMemory(t *testing.T) {
	const pods, most = 250, 4 << 20
	before := heap()
	store := make([]any, pods)
	for i := range store {
		slim, err := Slim(meshed(fmt.Sprintf("p%d", i), fmt.Sprintf("u%d", i)).DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		store[i] = slim
	}
	used := heap() - before
	t.Logf("%d pods of 200 kB: %d bytes each", pods, used/pods)
	if used > most {
		t.Errorf("got %d bytes, want at most %d", used, most)
	}
	runtime.KeepAlive(store)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
