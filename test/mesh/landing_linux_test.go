package mesh

import (
	"maps"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func TestConnectionsLandWhereThePolicySays(t *testing.T) {
	for _, b := range Backends() {
		t.Run(b.Name, func(t *testing.T) {
			l := NewLanding(t)
			before := b.Counters(t, l.Rig.Pod)
			Init{program(t)}.Install(t, l.Rig.Pod, Settings{}, b)
			for _, f := range rig.Families() {
				for _, p := range l.Probes(f) {
					if wrong := p.Land().Wrong(); wrong != "" {
						t.Errorf("%s to %s, %v: %s", p.Who, p.What, p.To, wrong)
					}
				}
			}
			checkCounted(t, Moved(before, b.Counters(t, l.Rig.Pod)))
		})
	}
}

// checkCounted wants each capture of the scene in the rule that does it.
func checkCounted(t *testing.T, moved []Counter) {
	t.Helper()
	got := map[string]uint64{}
	for _, c := range moved {
		for _, port := range []string{"15001", "15006"} {
			if strings.HasSuffix(c.Rule, "--to-ports "+port) || strings.HasSuffix(c.Rule, "redirect to :"+port) {
				got[port] += c.Packets
			}
		}
	}
	want := map[string]uint64{"15001": 2, "15006": 4} // one and two of each family
	if !maps.Equal(got, want) {
		t.Errorf("connections counted by the redirects: got %v, want %v", got, want)
	}
}
