package agent

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/metrics"
	"github.com/sluicemesh/sluice/cni/node/pods"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// handler answers plugins.
type handler struct {
	source  pods.Source
	metrics *metrics.Set
	events  chan<- events.Event
	log     *slog.Logger
}

var _ podapi.Handler = handler{}

// Pod implements podapi.Handler.
func (h handler) Pod(ctx context.Context, q podapi.Request) podapi.Response {
	began := time.Now()
	res, via := h.source.Answer(ctx, q)
	h.metrics.Answered(string(via))
	if q.NoAnnotations {
		h.metrics.Bare()
	}
	level := slog.LevelDebug
	if via == pods.Failed {
		level = slog.LevelWarn
	}
	h.log.Log(ctx, level, "plugin asked", "pod", q.Namespace+"/"+q.Name, "uid", q.UID, "container", q.ContainerID,
		"via", via, "took", time.Since(began), "err", res.Error)
	return res
}

// Report implements podapi.Handler. What a pod's owner should know becomes an
// Event, later: the plugin waits for the answer.
func (h handler) Report(r podapi.Report) {
	h.metrics.Reported(r)
	level := slog.LevelInfo
	if r.Outcome == "error" {
		level = slog.LevelWarn
	}
	h.log.Log(context.Background(), level, "plugin decided", "verb", r.Verb, "pod", r.Namespace+"/"+r.Name, "uid", r.UID,
		"container", r.ContainerID, "outcome", r.Outcome, "reason", r.Reason, "backend", r.Backend,
		"took", time.Duration(r.Micros)*time.Microsecond, "code", r.Code, "err", r.Message, "warnings", r.Warnings)
	for _, w := range r.Warnings {
		h.tell(events.Event{
			Namespace: r.Namespace, Name: r.Name, UID: types.UID(r.UID), Warning: true,
			Reason: "InterceptionWarning", Message: w, Once: w,
		})
	}
}

// tell drops what a full queue can't take: an Event is never worth a delay.
func (h handler) tell(e events.Event) {
	if e.Name == "" {
		return
	}
	select {
	case h.events <- e:
	default:
	}
}

// Failed implements podapi.Handler.
func (h handler) Failed(err *podapi.Error) {
	h.metrics.SocketFailed(err.Kind)
	h.log.Warn("exchange with a plugin failed", "kind", err.Kind, "err", err)
}
