// Package agent puts the parts of the node agent together: the socket for the
// plugins, the watch of this node's pods, the installer, repair, the start-up
// taint, health and metrics.
//
//	pods ──→ socket ──→ plugins        (before the installer: whom an entry
//	  │                                 sends to us finds someone who answers)
//	  └────→ repair
//	installer ──→ readiness ──→ taint
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/install"
	"github.com/sluicemesh/sluice/cni/node/metrics"
	"github.com/sluicemesh/sluice/cni/node/pods"
	"github.com/sluicemesh/sluice/cni/node/repair"
	"github.com/sluicemesh/sluice/cni/node/taint"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// Agent is the node agent with everything it touches as a field.
type Agent struct {
	Client kubernetes.Interface
	Node   string
	Log    *slog.Logger

	Socket    string // path here; its folder becomes root's alone
	HTTP      net.Listener
	Profiles  bool
	Installer install.Installer
	// Delay is how long the first pod list is held back; see pods.Watch.Run.
	Delay time.Duration
	// Hands and Modes are repair's; no modes means no repair.
	Hands   repair.Hands
	Verdict repair.Verdict
	Modes   []repair.Mode
	// Taint is the start-up taint's key; empty means none.
	Taint string
	// Namespace is the agent's own, for Retired; empty means that nobody asks.
	Namespace string

	state   State
	ending  atomic.Bool // the namespace has been seen being deleted
	metrics *metrics.Set
	told    chan events.Event
}

// Run works until ctx ends, and removes nothing then. An error is something
// without which the agent is of no use.
func (a *Agent) Run(ctx context.Context) error {
	a.metrics = metrics.New()
	a.Hands.Counted = func(m repair.Mode, r repair.Result) { a.metrics.Repaired(string(m), string(r)) }
	watch, err := pods.NewWatch(a.Client, a.Node, a.watchFailed)
	if err != nil {
		return err
	}
	socket, err := openDoor(a.Socket)
	if err != nil {
		return err
	}
	a.told = make(chan events.Event, 256)
	server := podapi.Server{Handler: handler{watch.Source(), a.metrics, a.told, a.Log}}
	parts := []func(context.Context) error{
		func(ctx context.Context) error { return a.serveSocket(ctx, server, socket) },
		a.followNamespace,
		func(ctx context.Context) error { watch.Run(ctx, a.Delay); return nil },
		func(ctx context.Context) error { return a.serveHTTP(ctx) },
		func(ctx context.Context) error { return a.install(ctx) },
		func(ctx context.Context) error { a.tellEvents(ctx, watch.Source()); return nil },
		func(ctx context.Context) error { a.followReadiness(ctx, watch); return nil },
	}
	if len(a.Modes) > 0 {
		repairs, err := a.repair(watch)
		if err != nil {
			return errors.Join(err, socket.Close())
		}
		parts = append(parts, repairs)
	}
	return together(ctx, parts)
}

// together runs the parts until ctx ends or one of them fails, which ends the
// others.
func together(outer context.Context, parts []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, part := range parts {
		running.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	if outer.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

func (a *Agent) watchFailed(err error) {
	a.metrics.WatchFailed()
	a.Log.Warn("pod list or watch failed, trying again", "err", err)
}

func (a *Agent) serveHTTP(ctx context.Context) error {
	const slow = 5 * time.Second
	s := http.Server{Handler: Mux(&a.state, a.metrics, a.Profiles), ReadHeaderTimeout: slow, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.Serve(a.HTTP); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health and metrics: %w", err)
	}
	return nil
}

// repair runs a controller over the watched pods.
func (a *Agent) repair(watch *pods.Watch) (func(context.Context) error, error) {
	c := repair.NewController(repair.Policy{Actor: a.Hands, Verdict: a.Verdict, Modes: a.Modes, Pod: watch.Source().Stored})
	if err := watch.OnChange(c.Changed); err != nil {
		c.Stop()
		return nil, err
	}
	return func(ctx context.Context) error { c.Run(ctx); return nil }, nil
}

// install keeps the installation and logs what changes.
func (a *Agent) install(ctx context.Context) error {
	a.state.Watching.Store(true)
	defer a.state.Watching.Store(false)
	loop := install.Loop{Installer: a.Installer, Notify: a.passed}
	return loop.Run(ctx)
}

// passed takes note of a pass of the installer.
func (a *Agent) passed(p install.Pass) {
	a.state.Installed.Store(p.Ready())
	a.metrics.Reverts(p.Reverts)
	switch {
	case p.Err != nil:
		a.metrics.Installed("failed")
	case p.Wrote > 0 || p.Copied:
		a.metrics.Installed("written")
	}
	level := slog.LevelInfo
	if p.Err != nil || p.Reverts > 0 {
		level = slog.LevelWarn
	}
	a.Log.Log(context.Background(), level, "network configuration", "state", p.Plan.State, "file", p.Plan.File,
		"wrote", p.Wrote, "plugin_copied", p.Copied, "reverts", p.Reverts, "held", p.Held, "cause", p.Cause,
		"waiting_for", p.Plan.Err, "skipped", install.Broken(p.Plan.Skipped), "err", p.Err)
	a.tellReverts(p)
}

// tellReverts makes an Event of this node of the first revert and whenever
// their number has doubled: often enough to be seen, and few.
func (a *Agent) tellReverts(p install.Pass) {
	if n := p.Reverts; n > 0 && n&(n-1) == 0 && p.Wrote > 0 {
		handler{events: a.told}.tell(events.Event{
			Name: a.Node, Node: true, Warning: true, Reason: "InterceptionReverted", Once: fmt.Sprint(p.Plan.File, n),
			Message: fmt.Sprintf("%s was changed by another program and our entry put back %d times since the agent started: %s", p.Plan.File, n, p.Cause),
		})
	}
}

// tellEvents makes Events one after the other.
func (a *Agent) tellEvents(ctx context.Context, known pods.Source) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-a.told:
			e.UID = uidOf(ctx, known, e)
			if _, err := a.Hands.Events.Tell(ctx, e); err != nil {
				a.Log.Warn("event not made", "about", e.Namespace+"/"+e.Name, "reason", e.Reason, "err", err)
			}
		}
	}
}

// uidOf is the uid that the API server knows the pod by: the runtime, and so
// the plugin, has another for a static pod, under which nobody would find the
// Event.
func uidOf(ctx context.Context, known pods.Source, e events.Event) types.UID {
	if e.Node {
		return e.UID
	}
	res, _ := known.Answer(ctx, podapi.Request{Namespace: e.Namespace, Name: e.Name, UID: string(e.UID)})
	if !res.Found {
		return e.UID
	}
	return types.UID(res.Pod.UID)
}

// followReadiness mirrors the state into the metric and takes the start-up
// taint off whenever the node has become ready.
func (a *Agent) followReadiness(ctx context.Context, watch *pods.Watch) {
	const every = 200 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	untainted := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.state.Synced.Store(watch.Synced())
		ready := a.state.Ready()
		a.metrics.Ready(ready)
		untainted = ready && (untainted || a.untaint(ctx))
	}
}

// untaint reports whether nothing is left to do about the taint.
func (a *Agent) untaint(ctx context.Context) bool {
	if a.Taint == "" {
		return true
	}
	removed, err := taint.Remove(ctx, a.Client, a.Node, a.Taint)
	if removed || err != nil {
		a.Log.Info("start-up taint", "key", a.Taint, "removed", removed, "err", err)
	}
	if err != nil {
		pause(ctx, 2*time.Second)
	}
	return err == nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
