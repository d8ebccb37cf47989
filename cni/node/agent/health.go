package agent

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"sync/atomic"

	"github.com/sluicemesh/sluice/cni/node/metrics"
)

// State is what readiness is made of.
type State struct {
	Reachable atomic.Bool // plugins find the socket
	Installed atomic.Bool // the plugin and its entry are in place
	Watching  atomic.Bool // the host's configuration is being watched
	Synced    atomic.Bool // every pod of the node is known
}

// Ready reports whether pods that start now pass through the plugin and find
// the agent knowing.
func (s *State) Ready() bool {
	return s.Installed.Load() && s.Watching.Load() && s.Synced.Load() && s.Reachable.Load()
}

func (s *State) String() string {
	return fmt.Sprintf("installed: %v\nwatching: %v\npods synced: %v\nsocket: %v\n",
		s.Installed.Load(), s.Watching.Load(), s.Synced.Load(), s.Reachable.Load())
}

// Mux serves health, metrics and, if asked for, profiles.
func Mux(s *State, m *metrics.Set, profiles bool) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		code := http.StatusServiceUnavailable
		if s.Ready() {
			code = http.StatusOK
		}
		say(w, code, s.String())
	})
	mux.Handle("GET /metrics", m.Handler())
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// say ignores a reader who has gone.
func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprint(w, text)
}
