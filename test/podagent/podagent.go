// Package podagent is the smallest node agent: it knows the pods it is told and
// answers the plugin about them over the real socket protocol. Tests use it
// where a cluster would be in the way.
package podagent

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// Agent is a node agent of a test.
type Agent struct {
	// Socket is where it answers while it runs.
	Socket string

	t       testing.TB
	stop    func()
	mu      sync.Mutex
	pods    []podapi.Pod
	asked   int
	reports []podapi.Report
}

// Start starts an agent in a folder of its own below dir; it ends with the test.
func Start(t testing.TB, dir string) *Agent {
	t.Helper()
	a := &Agent{t: t, Socket: filepath.Join(dir, "agent", "node.sock")}
	a.Resume()
	t.Cleanup(a.Stop)
	return a
}

// Know tells the agent of a pod: its manifest in JSON.
func (a *Agent) Know(manifest string) {
	a.t.Helper()
	p, err := podsettings.Decode([]byte(manifest))
	if err != nil {
		a.t.Fatalf("manifest: %v", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pods = append(a.pods, p)
}

// Stop ends the agent, as if its pod were deleted: nobody listens.
func (a *Agent) Stop() {
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
}

// Resume starts it again.
func (a *Agent) Resume() {
	a.t.Helper()
	l, err := podapi.Listen(a.Socket)
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- podapi.Server{Handler: a}.Serve(ctx, l) }()
	a.stop = func() {
		cancel()
		if err := <-done; err != nil {
			a.t.Errorf("agent: %v", err)
		}
	}
}

// Asked counts the questions so far.
func (a *Agent) Asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// Reports are what plugins have told so far, in order.
func (a *Agent) Reports() []podapi.Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.reports)
}

// Forget drops the reports so far.
func (a *Agent) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports = nil
}

// Pod implements [podapi.Handler].
func (a *Agent) Pod(_ context.Context, q podapi.Request) podapi.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	for _, p := range a.pods {
		if p.Namespace == q.Namespace && p.Name == q.Name && p.Is(q.UID) {
			return podapi.Response{Found: true, Pod: &p}
		}
	}
	return podapi.Response{}
}

// Report implements [podapi.Handler].
func (a *Agent) Report(r podapi.Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports = append(a.reports, r)
}

// Failed implements [podapi.Handler]; a plugin that hung up is its own test's affair.
func (*Agent) Failed(*podapi.Error) {}
