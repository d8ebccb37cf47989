package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/pods"
)

// Mode is one way to deal with a broken pod.
type Mode string

// The modes, in the order in which they are tried.
const (
	InPlace Mode = "repair" // program its namespace; the validation container runs again
	Delete  Mode = "delete" // its controller makes another
	Label   Mode = "label"  // for someone else to act on
)

// Modes gives the modes named, in their order, and refuses unknown names.
func Modes(names []string) ([]Mode, error) {
	var modes []Mode
	for _, m := range []Mode{InPlace, Delete, Label} {
		if slices.Contains(names, string(m)) {
			modes = append(modes, m)
		}
	}
	if len(modes) != len(names) {
		return nil, fmt.Errorf("repair modes %q: want some of repair, delete, label, each once", names)
	}
	return modes, nil
}

// ErrFinal is why a pod can't be repaired in place: its validation container
// will not run again (a Job with restartPolicy Never, mostly).
var ErrFinal = errors.New("not repairable in place: its validation container is not run again")

// ErrUseless is why a pod is not repaired in place once more.
var ErrUseless = fmt.Errorf("its rules were installed and verified %d times, and its validation still fails: see sluice explain --live in the pod", enough)

// ErrBare is why a pod is not deleted: it would be gone for good. A static pod
// is the kubelet's own; deleting its mirror does nothing to it.
var ErrBare = errors.New("not deleted: no controller would make another pod in its place")

// Result is what became of one attempt.
type Result string

// The results, as metrics label them.
const (
	Done    Result = "done"
	Refused Result = "refused" // this mode can't help this pod
	Broken  Result = "failed"
)

// Actor does what the controller decides.
type Actor interface {
	// Meshed reports whether the plugin would program this pod, and if so what
	// Program needs is in the pod. It is the plugin's own decision.
	Meshed(*corev1.Pod) bool
	// Program makes the pod's namespace as the plugin would have.
	Program(context.Context, *corev1.Pod) error
	Delete(context.Context, *corev1.Pod) error
	Label(context.Context, *corev1.Pod) error
	Tell(context.Context, events.Event)
	// Count notes one attempt.
	Count(Mode, Result)
}

// Policy is what a controller is made of.
type Policy struct {
	Actor   Actor
	Verdict Verdict
	Modes   []Mode
	// Pod finds the pod as it is now.
	Pod func(key string) (*corev1.Pod, bool)
	// Limit bounds attempts over all pods of the node; nil means two a second,
	// ten at once.
	Limit *rate.Limiter
}

// Controller repairs pods one after the other.
type Controller struct {
	Policy
	queue workqueue.TypedRateLimitingInterface[string]
	seen  map[types.UID]seen // of Run's goroutine only
}

// seen is what was done about a pod.
type seen struct {
	key      string
	failure  string // the last that was dealt with
	programs int    // how often its namespace was programmed
}

// enough is how often a namespace is programmed before its pod is left to the
// next mode: rules that are there and still do not work are not missing rules.
const enough = 3

// NewController makes a controller with nothing to do yet. Its queue is held
// until Run ends, or Stop is called.
func NewController(p Policy) *Controller {
	if p.Limit == nil {
		p.Limit = rate.NewLimiter(2, 10)
	}
	// A pod that can't be helped is tried after 1, 2, 4, … seconds, at most
	// every five minutes: as often as the kubelet restarts its container.
	const first, most = time.Second, 5 * time.Minute
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](first, most)
	return &Controller{Policy: p, queue: workqueue.NewTypedRateLimitingQueue(limiter), seen: map[types.UID]seen{}}
}

// Changed takes note of a pod that is new or changed. It does not block.
func (c *Controller) Changed(p *corev1.Pod) {
	if _, failed := c.Verdict.Failed(p); failed {
		c.queue.Add(pods.Key(p))
	}
}

// Stop ends a controller that is not run. Called more than once it does nothing.
func (c *Controller) Stop() { c.queue.ShutDown() }

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	defer context.AfterFunc(ctx, c.Stop)()
	for {
		key, stop := c.queue.Get()
		if stop {
			return
		}
		if c.work(ctx, key) {
			c.queue.Forget(key)
		} else {
			c.queue.AddRateLimited(key)
		}
		c.queue.Done(key)
	}
}

// work deals with one pod; false asks for another try later.
func (c *Controller) work(ctx context.Context, key string) bool {
	c.forgetGone()
	p, ok := c.Pod(key)
	if !ok {
		return true
	}
	f, failed := c.Verdict.Failed(p)
	if !failed || c.dealtWith(p, f) || !c.Actor.Meshed(p) {
		return true
	}
	if c.Limit.Wait(ctx) != nil {
		return false
	}
	return c.act(ctx, p, f)
}

// dealtWith: the same failure is reported with every change of the pod's
// status until its container has run again.
func (c *Controller) dealtWith(p *corev1.Pod, f Failure) bool {
	s, ok := c.seen[p.UID]
	return ok && s.failure == f.ContainerID
}

// forgetGone keeps the memory as small as the node's pods.
func (c *Controller) forgetGone() {
	for uid, s := range c.seen {
		if p, ok := c.Pod(s.key); !ok || p.UID != uid {
			delete(c.seen, uid)
		}
	}
}

// act tries the modes in order until one works.
func (c *Controller) act(ctx context.Context, p *corev1.Pod, f Failure) bool {
	for _, m := range c.Modes {
		err := c.try(ctx, m, p, f)
		result := resultOf(err)
		c.Actor.Count(m, result)
		c.Actor.Tell(ctx, c.event(m, p, f, err))
		if result == Done {
			c.remember(m, p, f)
			return true
		}
	}
	return false
}

func (c *Controller) remember(m Mode, p *corev1.Pod, f Failure) {
	s := c.seen[p.UID]
	s.key, s.failure = pods.Key(p), f.ContainerID
	if m == InPlace {
		s.programs++
	}
	c.seen[p.UID] = s
}

func resultOf(err error) Result {
	switch {
	case err == nil:
		return Done
	case errors.Is(err, ErrFinal), errors.Is(err, ErrUseless), errors.Is(err, ErrBare):
		return Refused
	}
	return Broken
}

func (c *Controller) try(ctx context.Context, m Mode, p *corev1.Pod, f Failure) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	switch {
	case m == Delete && !replaced(p):
		return ErrBare
	case m == Delete:
		return c.Actor.Delete(ctx, p)
	case m == Label:
		return c.Actor.Label(ctx, p)
	case f.Final:
		return ErrFinal
	case c.seen[p.UID].programs >= enough:
		return ErrUseless
	}
	return c.Actor.Program(ctx, p)
}

// replaced reports whether a controller makes another pod when this one is
// deleted. A static pod's is its node.
func replaced(p *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(p)
	return owner != nil && owner.Kind != "Node"
}

// told is what the pod's owner reads, by mode, when it worked and when not.
var told = map[Mode][2]string{
	InPlace: {"InterceptionRepaired", "InterceptionNotRepaired"},
	Delete:  {"InterceptionPodDeleted", "InterceptionPodNotDeleted"},
	Label:   {"InterceptionPodLabelled", "InterceptionPodNotLabelled"},
}

func (c *Controller) event(m Mode, p *corev1.Pod, f Failure, err error) events.Event {
	e := events.Event{Namespace: p.Namespace, Name: p.Name, UID: p.UID, Warning: err != nil, Once: f.ContainerID, Reason: told[m][0]}
	why := fmt.Sprintf("container %s found no interception rules (exit code %d)", c.Verdict.Container, c.Verdict.ExitCode)
	switch {
	case err != nil:
		e.Reason = told[m][1]
		e.Message = why + ": " + err.Error()
	case m == InPlace:
		e.Message = why + "; they are installed now, and it will run again"
	case m == Delete:
		e.Message = why + "; the pod was deleted, its controller makes another"
	case m == Label:
		e.Message = why + "; the pod was labelled for someone to act on"
	}
	return e
}
