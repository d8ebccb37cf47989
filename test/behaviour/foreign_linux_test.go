package behaviour

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// Rules in the form of other meshes' tools, loaded into the kernel and saved by
// its own tools: explain, which has nothing but the dump, must name the place
// where each connection really lands.
func TestExplainDecidesAboutOtherToolsRulesAsTheKernel(t *testing.T) {
	for _, file := range []string{"istio-init-2022.v4.rules", "proxy-init.v4.restore"} {
		for _, flavour := range []rig.Flavour{rig.NFT, rig.Legacy} {
			t.Run(fmt.Sprintf("%s/%s", file, flavour), func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile("../../testdata/dumps/" + file)
				if err != nil {
					t.Fatal(err)
				}
				r := rig.New(t)
				servers(t, r, false)
				r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
				r.Pod.Restore(flavour, rig.Family(iptables.V4), string(text))
				dump, err := iptables.Parse(iptables.V4, r.Pod.Save(flavour, rig.Family(iptables.V4)))
				if err != nil {
					t.Fatal(err)
				}
				askEverybody(t, r, explain.Subject{Rules: []iptables.Ruleset{dump}, Origin: file})
			})
		}
	}
}

// askEverybody opens connections of all kinds and compares.
func askEverybody(t *testing.T, r *rig.Rig, s explain.Subject) {
	landed := map[string]int{}
	for _, from := range []user{app, root, proxy, gidProxy, uid(5, 3000), outsider} {
		for _, to := range []place{service, itself, loopback} {
			for _, port := range []uint16{80, 8080, 9090, 15008, 15020, 15090} {
				p := probe{from: from, to: to, port: port}
				if from.outside && to(iptables.V4) != itself(iptables.V4) {
					continue
				}
				source := r.Pod
				if from.outside {
					source = r.World
				}
				dialled := netip.AddrPortFrom(to(iptables.V4), port)
				got := "nowhere"
				if report, err := source.Ask(from.User, "tcp", dialled.String()); err == nil {
					got = report.Listener
				}
				landed[got]++
				w := explain.Ask(s, p.question(iptables.V4))[0]
				if want := p.place(w.Ways[0]); got != want || len(w.Ways) != 1 {
					t.Errorf("%s to %s landed on %s, explain says %s\n%s", from, dialled, got, want, w.Text(0))
				}
			}
		}
	}
	for _, place := range []string{"In", "Out", "app", "world"} {
		if landed[place] == 0 {
			t.Errorf("no connection landed on %s: %v", place, landed)
		}
	}
}

// place is who takes a connection that goes this way.
func (p probe) place(w explain.Way) string {
	switch w.Fate {
	case explain.Dropped:
		return "nowhere"
	case explain.Direct:
		return p.listener("direct")
	}
	return string(w.Role)
}
