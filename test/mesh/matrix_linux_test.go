package mesh

import (
	"fmt"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// everyWay runs a test with every backend and every path.
func everyWay(t *testing.T, test func(t *testing.T, m *Mesh)) {
	for _, path := range paths(t) {
		for _, b := range Backends() {
			t.Run(fmt.Sprintf("%s by %s", b, path), func(t *testing.T) { test(t, New(t, path, b)) })
		}
	}
}

func paths(t *testing.T) []Path {
	return []Path{Init{program(t)}, NewCNI(t, built(t, "sluice-cni"))}
}

func TestScenesEndAsTheirTablesSay(t *testing.T) {
	everyWay(t, func(t *testing.T, m *Mesh) {
		for _, s := range Scenes() {
			for _, f := range rig.Families() {
				t.Run(fmt.Sprintf("%s, IPv%d", s.Name, f), func(t *testing.T) {
					for _, o := range s.Play(t, m, f) {
						if wrong := o.Wrong(); wrong != "" {
							t.Error("\n" + wrong)
						}
					}
				})
			}
		}
	})
}

func TestNamesOfTheMeshAreAnsweredByTheSidecarAlone(t *testing.T) {
	everyWay(t, func(t *testing.T, m *Mesh) {
		m.CaptureDNS(t, func() {
			for _, f := range rig.Families() {
				for _, network := range []string{"udp", "tcp"} {
					for _, want := range m.Lookups(f) {
						if got := m.Ask(want, network, f); got != want {
							t.Errorf("IPv%d %s:\ngot  %v\nwant %v\nthe sidecar says %v", f, network, got, want, m.Pod("sleep.full").Sidecar.Errors())
						}
					}
				}
			}
		})
	})
}
