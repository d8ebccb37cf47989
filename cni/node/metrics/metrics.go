// Package metrics counts what the node agent and the plugins of its node do.
// The names, labels and their values are a contract with people's dashboards:
// a test holds this list to docs/metrics.md.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// Set is the agent's metrics. Its methods may be called from many goroutines.
type Set struct {
	registry *prometheus.Registry

	ready       prometheus.Gauge
	installs    *prometheus.CounterVec
	reverts     prometheus.Gauge
	decisions   *prometheus.CounterVec
	adds        *prometheus.HistogramVec
	answers     *prometheus.CounterVec
	bare        prometheus.Counter
	socket      *prometheus.CounterVec
	repairs     *prometheus.CounterVec
	watchErrors prometheus.Counter
}

// buckets of an ADD in seconds: the floor is 2 ms, the default deadline 10 s.
var buckets = []float64{.001, .002, .003, .005, .0075, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10}

// New makes an empty set with a registry of its own.
func New() *Set {
	s := &Set{
		registry:    prometheus.NewRegistry(),
		ready:       gauge("sluice_node_ready", "1 while pods that start on this node pass through the plugin: installed, watching, pods synced, socket to be found."),
		installs:    counter("sluice_node_installs_total", "Passes over the host's network configuration that wrote, by result.", "result"),
		reverts:     gauge("sluice_node_reverts", "How often, since the agent started, another program undid the plugin's entry in the network configuration."),
		decisions:   counter("sluice_plugin_decisions_total", "Calls of the plugin by verb, outcome (pass, program, error) and reason (a row of the decision table).", "verb", "outcome", "reason"),
		adds:        histogram("sluice_plugin_add_seconds", "Time of one ADD in the plugin, in seconds, by outcome.", "outcome"),
		answers:     counter("sluice_node_pod_answers_total", "Answers to the plugin about a pod, by where they came from (cache, live, unknown, failed).", "via"),
		bare:        plain("sluice_node_questions_without_annotations_total", "Questions of plugins whose runtime hands over no pod annotations, so that every pod needs the agent."),
		socket:      counter("sluice_node_socket_errors_total", "Exchanges on the plugin's socket that failed, by kind (untrusted, slow, garbled, foreign, too-long).", "kind"),
		repairs:     counter("sluice_node_repairs_total", "Actions on pods that started without rules, by mode (repair, delete, label) and result.", "mode", "result"),
		watchErrors: plain("sluice_node_watch_errors_total", "Failures of the pod list or watch; each is tried again."),
	}
	s.registry.MustRegister(s.ready, s.installs, s.reverts, s.decisions, s.adds, s.answers, s.bare, s.socket, s.repairs, s.watchErrors,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func plain(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Handler serves the metrics in Prometheus' text form.
func (s *Set) Handler() http.Handler { return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}) }

// Ready sets whether the node is ready.
func (s *Set) Ready(ready bool) {
	value := 0.0
	if ready {
		value = 1
	}
	s.ready.Set(value)
}

// Installed counts a pass that wrote, or that failed to.
func (s *Set) Installed(result string) { s.installs.WithLabelValues(result).Inc() }

// Reverts sets how often the entry was undone.
func (s *Set) Reverts(n int) { s.reverts.Set(float64(n)) }

// Answered counts an answer about a pod.
func (s *Set) Answered(via string) { s.answers.WithLabelValues(via).Inc() }

// Bare counts a question of a plugin that was handed no annotations.
func (s *Set) Bare() { s.bare.Inc() }

// SocketFailed counts a failed exchange.
func (s *Set) SocketFailed(kind podapi.Kind) { s.socket.WithLabelValues(string(kind)).Inc() }

// Repaired counts an action on a broken pod.
func (s *Set) Repaired(mode, result string) { s.repairs.WithLabelValues(mode, result).Inc() }

// WatchFailed counts a failure of the list or watch.
func (s *Set) WatchFailed() { s.watchErrors.Inc() }

// Reported counts a call of the plugin.
func (s *Set) Reported(r podapi.Report) {
	outcome := oneOf(r.Outcome, "pass", "program", "error")
	s.decisions.WithLabelValues(oneOf(r.Verb, "ADD", "CHECK", "DEL", "GC", "STATUS"), outcome, label(r.Reason)).Inc()
	if r.Verb == "ADD" && r.Micros >= 0 {
		s.adds.WithLabelValues(outcome).Observe((time.Duration(r.Micros) * time.Microsecond).Seconds())
	}
}

// oneOf keeps a label's values to those that are documented.
func oneOf(s string, known ...string) string {
	for _, k := range known {
		if s == k {
			return s
		}
	}
	return "other"
}

// label admits names of rows only: a plugin of another release may know other
// reasons, but nothing makes up new time series without end.
func label(s string) string {
	strange := func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' }
	if s == "" || len(s) > 40 || strings.ContainsFunc(s, strange) {
		return "other"
	}
	return s
}
