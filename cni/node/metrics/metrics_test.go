package metrics

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// all touches every metric, so that each shows up.
func all() *Set {
	s := New()
	s.Ready(true)
	s.Installed("written")
	s.Reverts(3)
	s.Answered("cache")
	s.Bare()
	s.SocketFailed(podapi.Slow)
	s.Repaired("repair", "done")
	s.WatchFailed()
	s.Reported(podapi.Report{Verb: "ADD", Outcome: "program", Reason: "meshed", Micros: 4100})
	return s
}

func scrape(t *testing.T, s *Set) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("got status %d, want 200", w.Code)
	}
	return w.Body.String()
}

func TestWhatHappenedIsCountedUnderItsNameAndLabels(t *testing.T) {
	text := scrape(t, all())
	for _, want := range []string{
		"sluice_node_ready 1",
		`sluice_node_installs_total{result="written"} 1`,
		"sluice_node_reverts 3",
		`sluice_plugin_decisions_total{outcome="program",reason="meshed",verb="ADD"} 1`,
		`sluice_plugin_add_seconds_bucket{outcome="program",le="0.003"} 0`,
		`sluice_plugin_add_seconds_bucket{outcome="program",le="0.005"} 1`,
		`sluice_node_pod_answers_total{via="cache"} 1`,
		"sluice_node_questions_without_annotations_total 1",
		`sluice_node_socket_errors_total{kind="slow"} 1`,
		`sluice_node_repairs_total{mode="repair",result="done"} 1`,
		"sluice_node_watch_errors_total 1",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
}

func TestALabelIsNeverMadeUpByWhoeverReports(t *testing.T) {
	s := New()
	s.Reported(podapi.Report{Verb: "ADD\n", Outcome: "hacked", Reason: strings.Repeat("x", 400)})
	s.Reported(podapi.Report{Verb: "ADD", Outcome: "pass", Reason: "UID 17"})
	text := scrape(t, s)
	for _, want := range []string{
		`sluice_plugin_decisions_total{outcome="other",reason="other",verb="other"} 1`,
		`sluice_plugin_decisions_total{outcome="pass",reason="other",verb="ADD"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
}

// The documentation lists every metric of ours with its labels, and no other.
func TestDocumentedMetricsAreTheRealOnes(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, real []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(sluice_[a-z_]+)`").FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, m[1])
	}
	lines := bufio.NewScanner(strings.NewReader(scrape(t, all())))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 3 && f[1] == "HELP" && strings.HasPrefix(f[2], "sluice_") {
			real = append(real, f[2])
			if help := strings.Join(f[3:], " "); !strings.Contains(string(doc), help) {
				t.Errorf("%s: its help is not in the documentation: %s", f[2], help)
			}
		}
	}
	slices.Sort(documented)
	if !slices.Equal(documented, real) {
		t.Errorf("documented\n%v\nreal\n%v", documented, real)
	}
}
