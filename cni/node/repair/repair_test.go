package repair

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/pods"
	"github.com/sluicemesh/sluice/cni/podapi"
)

func terminated(code int32, id string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, ContainerID: id}}
}

// ownedBy is the reference of a pod's controller.
func ownedBy(kind string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{Kind: kind, Name: "cart", Controller: &yes}}
}

// pod is meshed and its validation is in the states given.
func pod(state, last corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "u1", OwnerReferences: ownedBy("ReplicaSet"),
			Annotations: map[string]string{podapi.StatusAnnotation: "{}"}},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways,
			InitContainers: []corev1.Container{{Name: "istio-validation"}}, Containers: []corev1.Container{{Name: podapi.ProxyName}, {Name: "app"}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending, PodIPs: []corev1.PodIP{{IP: "192.0.2.7"}},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "istio-validation", State: state, LastTerminationState: last}}},
	}
}

func TestAPodIsBrokenByItsValidationsCurrentOrLastState(t *testing.T) {
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	none := corev1.ContainerState{}
	for _, tt := range []struct {
		name        string
		state, last corev1.ContainerState
		change      func(*corev1.Pod)
		broken      bool
		final       bool
	}{
		{"failed now", terminated(126, "c1"), none, nil, true, false},
		{"waits to run again", waiting, terminated(126, "c1"), nil, true, false},
		{"runs again", running, terminated(126, "c1"), nil, true, false},
		{"succeeded since", terminated(0, "c2"), terminated(126, "c1"), nil, false, false},
		{"failed otherwise", terminated(1, "c1"), none, nil, false, false},
		{"failed otherwise since", terminated(1, "c2"), terminated(126, "c1"), nil, false, false},
		{"has not run", waiting, none, nil, false, false},
		{"in the host's network", terminated(126, "c1"), none, func(p *corev1.Pod) { p.Spec.HostNetwork = true }, false, false},
		{"being deleted", terminated(126, "c1"), none, func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, false, false},
		{"another container", terminated(126, "c1"), none, func(p *corev1.Pod) { p.Status.InitContainerStatuses[0].Name = "setup" }, false, false},
		{"a Job that is not restarted", terminated(126, "c1"), none, func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever }, true, true},
		{"failed for good", terminated(126, "c1"), none, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, true, true},
	} {
		p := pod(tt.state, tt.last)
		if tt.change != nil {
			tt.change(p)
		}
		f, broken := DefaultVerdict().Failed(p)
		if broken != tt.broken || f.Final != tt.final || broken && f.ContainerID != "c1" {
			t.Errorf("%s: got %v %+v, want %v, final %v, container c1", tt.name, broken, f, tt.broken, tt.final)
		}
	}
}

// hand records what it is asked to do.
type hand struct {
	mu       sync.Mutex
	did      []string
	told     []events.Event
	unmeshed bool
	fail     map[Mode]error
}

func (h *hand) note(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.did = append(h.did, s)
}

func (h *hand) deeds() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.did)
}

func (h *hand) Meshed(*corev1.Pod) bool { return !h.unmeshed }
func (h *hand) Program(context.Context, *corev1.Pod) error {
	h.note("program")
	return h.fail[InPlace]
}
func (h *hand) Delete(context.Context, *corev1.Pod) error { h.note("delete"); return h.fail[Delete] }
func (h *hand) Label(context.Context, *corev1.Pod) error  { h.note("label"); return h.fail[Label] }
func (h *hand) Tell(_ context.Context, e events.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, e)
}
func (h *hand) Count(m Mode, r Result) { h.note("count " + string(m) + " " + string(r)) }

// controller works on one pod, which p points to.
func controller(t *testing.T, h *hand, p **corev1.Pod, modes ...Mode) *Controller {
	c := NewController(Policy{Actor: h, Verdict: DefaultVerdict(), Modes: modes, Limit: rate.NewLimiter(rate.Inf, 1),
		Pod: func(key string) (*corev1.Pod, bool) { return *p, *p != nil && key == "shop/cart" }})
	t.Cleanup(c.Stop)
	return c
}

func TestTheModesAreTriedInOrderUntilOneWorks(t *testing.T) {
	cannot := errors.New("cannot")
	for _, tt := range []struct {
		name    string
		modes   []Mode
		fail    map[Mode]error
		final   bool
		done    bool
		did     []string
		reasons string
	}{
		{"in place", []Mode{InPlace, Delete}, nil, false, true, []string{"program", "count repair done"}, "InterceptionRepaired"},
		{"in place fails", []Mode{InPlace, Delete}, map[Mode]error{InPlace: cannot}, false, true,
			[]string{"program", "count repair failed", "delete", "count delete done"}, "InterceptionNotRepaired InterceptionPodDeleted"},
		{"a Job never restarted", []Mode{InPlace, Delete}, nil, true, true,
			[]string{"count repair refused", "delete", "count delete done"}, "InterceptionNotRepaired InterceptionPodDeleted"},
		{"a Job, in place only", []Mode{InPlace}, nil, true, false, []string{"count repair refused"}, "InterceptionNotRepaired"},
		{"label", []Mode{Label}, nil, false, true, []string{"label", "count label done"}, "InterceptionPodLabelled"},
		{"nothing works", []Mode{InPlace, Delete, Label}, map[Mode]error{InPlace: cannot, Delete: cannot, Label: cannot}, false, false,
			[]string{"program", "count repair failed", "delete", "count delete failed", "label", "count label failed"},
			"InterceptionNotRepaired InterceptionPodNotDeleted InterceptionPodNotLabelled"},
	} {
		p := pod(terminated(126, "c1"), corev1.ContainerState{})
		if tt.final {
			p.Spec.RestartPolicy = corev1.RestartPolicyNever
		}
		h := &hand{fail: tt.fail}
		if got := controller(t, h, &p, tt.modes...).work(t.Context(), "shop/cart"); got != tt.done {
			t.Errorf("%s: got done=%v, want %v", tt.name, got, tt.done)
		}
		var reasons []string
		for _, e := range h.told {
			reasons = append(reasons, e.Reason)
		}
		if !slices.Equal(h.did, tt.did) || strings.Join(reasons, " ") != tt.reasons {
			t.Errorf("%s: got %v, told %v\nwant %v, told %s", tt.name, h.did, reasons, tt.did, tt.reasons)
		}
	}
}

func TestAPodThatNoControllerMakesAgainIsNotDeleted(t *testing.T) {
	for name, owners := range map[string][]metav1.OwnerReference{
		"a bare pod":                        nil,
		"an owner that is not a controller": {{Kind: "Backup", Name: "b"}},
		"a static pod's mirror":             ownedBy("Node"),
	} {
		slim, err := pods.Slim(pod(terminated(126, "c1"), corev1.ContainerState{}))
		if err != nil {
			t.Fatal(err)
		}
		p := slim.(*corev1.Pod)
		p.OwnerReferences = owners
		h := &hand{}
		if !controller(t, h, &p, Delete, Label).work(t.Context(), "shop/cart") {
			t.Errorf("%s: got not done, want it labelled", name)
		}
		if want := []string{"count delete refused", "label", "count label done"}; !slices.Equal(h.did, want) {
			t.Errorf("%s: got %v, want %v", name, h.did, want)
		}
		if len(h.told) != 2 || !strings.Contains(h.told[0].Message, "no controller would make another") || strings.Contains(h.told[1].Message, "controller") {
			t.Errorf("%s: told %+v, want why it was not deleted, and that it was labelled", name, h.told)
		}
	}
	slim, err := pods.Slim(pod(terminated(126, "c1"), corev1.ContainerState{}))
	if err != nil {
		t.Fatal(err)
	}
	p, h := slim.(*corev1.Pod), &hand{}
	if controller(t, h, &p, Delete).work(t.Context(), "shop/cart"); !slices.Contains(h.did, "delete") {
		t.Errorf("a ReplicaSet's pod as the agent stores it: got %v, want it deleted", h.did)
	}
}

func TestAFailureIsDealtWithOnceAndTheNextOneAnewThreeTimes(t *testing.T) {
	p := pod(terminated(126, "c1"), corev1.ContainerState{})
	h := &hand{}
	c := controller(t, h, &p, InPlace, Delete)
	for range 5 { // every change of the pod's status brings the same failure
		c.work(t.Context(), "shop/cart")
	}
	for _, id := range []string{"c2", "c3", "c4"} {
		p = pod(terminated(126, id), corev1.ContainerState{})
		c.work(t.Context(), "shop/cart")
	}
	var deeds []string
	for _, d := range h.did {
		if !strings.HasPrefix(d, "count") {
			deeds = append(deeds, d)
		}
	}
	if want := []string{"program", "program", "program", "delete"}; !slices.Equal(deeds, want) {
		t.Errorf("got %v, want %v", deeds, want)
	}
	p = nil
	c.work(t.Context(), "shop/cart")
	if len(c.seen) != 0 {
		t.Errorf("got %d pods remembered after the last is gone, want 0", len(c.seen))
	}
}

func TestAPodThatIsNotMeshedIsLeftAlone(t *testing.T) {
	p := pod(terminated(126, "c1"), corev1.ContainerState{})
	h := &hand{unmeshed: true}
	if !controller(t, h, &p, InPlace, Delete).work(t.Context(), "shop/cart") || len(h.did) != 0 {
		t.Errorf("got %v, want nothing done", h.did)
	}
}

func TestTheControllerWorksOnChangesAndTriesAgain(t *testing.T) {
	p := pod(terminated(126, "c1"), corev1.ContainerState{})
	h := &hand{fail: map[Mode]error{InPlace: errors.New("busy")}}
	c := controller(t, h, &p, InPlace)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	c.Changed(pod(terminated(0, "c0"), corev1.ContainerState{}))
	c.Changed(p)
	for end := time.Now().Add(5 * time.Second); len(h.deeds()) < 4 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := h.deeds(); len(got) < 4 {
		t.Errorf("got %v, want two attempts within 5s", got)
	}
	cancel()
	<-done
}

func TestModesAreReadInTheirOrderAndUnknownOnesRefused(t *testing.T) {
	if got, err := Modes([]string{"label", "repair"}); err != nil || !slices.Equal(got, []Mode{InPlace, Label}) {
		t.Errorf("got %v, %v; want [repair label]", got, err)
	}
	for _, bad := range [][]string{{"restart"}, {"repair", "repair"}, {""}} {
		if got, err := Modes(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

// The API server here is client-go's fake; test/cluster has the real one.
func hands(client *fake.Clientset) Hands {
	config, _ := netconf.Parse([]byte(`{"cniVersion":"1.0.0","name":"n","type":"sluice-cni","exclude_namespaces":["kube-system"]}`))
	return Hands{Client: client, Config: config, LabelKey: "k", LabelValue: "v", Log: slog.New(slog.DiscardHandler),
		Events: events.Teller{Client: client, Now: time.Now}, Counted: func(Mode, Result) {}}
}

func TestWhatIsMeshedIsThePluginsDecision(t *testing.T) {
	h := hands(fake.NewClientset())
	for name, tt := range map[string]struct {
		change func(*corev1.Pod)
		want   bool
	}{
		"meshed":                  {func(*corev1.Pod) {}, true},
		"excluded namespace":      {func(p *corev1.Pod) { p.Namespace = "kube-system" }, false},
		"not injected":            {func(p *corev1.Pod) { p.Annotations = nil }, false},
		"istio-init does the job": {func(p *corev1.Pod) { p.Spec.InitContainers[0].Name = "istio-init" }, false},
		"no proxy":                {func(p *corev1.Pod) { p.Spec.Containers = p.Spec.Containers[1:] }, false},
	} {
		p := pod(terminated(126, "c1"), corev1.ContainerState{})
		tt.change(p)
		if got := h.Meshed(p); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestProgrammingTakesThePodsOwnSettingsUIDAndAddresses(t *testing.T) {
	h := hands(fake.NewClientset())
	var uid string
	var ips []string
	var config builder.Config
	h.Apply = func(_ context.Context, u string, i []string, c builder.Config) error {
		uid, ips, config = u, i, c
		return nil
	}
	p := pod(terminated(126, "c1"), corev1.ContainerState{})
	p.Annotations["sidecar.istio.io/interceptionMode"] = "TPROXY"
	if err := h.Program(t.Context(), p); err != nil || uid != "u1" || !slices.Equal(ips, []string{"192.0.2.7"}) || !config.TProxied() {
		t.Errorf("got %s %v tproxy=%v, %v; want u1 [192.0.2.7] true", uid, ips, config.TProxied(), err)
	}
	p.Annotations[podapi.ConfigHashAnnotation] = "hash"
	if err := h.Program(t.Context(), p); err != nil || uid != "hash" {
		t.Errorf("static pod: got %s, %v; want its config hash", uid, err)
	}
}

func TestLabelAndDeleteNameThePodsUID(t *testing.T) {
	p := pod(terminated(126, "c1"), corev1.ContainerState{})
	client := fake.NewClientset(p)
	h := hands(client)
	if err := h.Label(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().Pods("shop").Get(t.Context(), "cart", metav1.GetOptions{})
	if err != nil || got.Labels["k"] != "v" || got.UID != types.UID("u1") {
		t.Errorf("got labels %v, uid %s, %v; want k=v", got.Labels, got.UID, err)
	}
	if err := h.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	var seen bool
	for _, a := range client.Actions() {
		if d, ok := a.(interface{ GetDeleteOptions() metav1.DeleteOptions }); ok {
			pre := d.GetDeleteOptions().Preconditions
			seen = pre != nil && pre.UID != nil && *pre.UID == "u1"
		}
	}
	if !seen {
		t.Error("the deletion has no uid precondition")
	}
}
