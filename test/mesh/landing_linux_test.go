package mesh

import (
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
	want := map[string]uint64{
		"-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001":    1,
		"-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006": 2,
	}
	for _, f := range rig.Families() {
		got := map[string]uint64{}
		for _, c := range moved {
			if c.Family == f {
				got[c.Rule] += c.Packets
			}
		}
		for rule, n := range want {
			if got[rule] != n {
				t.Errorf("IPv%d: rule %q counted %d connections, want %d", f, rule, got[rule], n)
			}
		}
	}
}
