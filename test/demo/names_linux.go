package main

import (
	"github.com/sluicemesh/sluice/test/mesh"
	"github.com/sluicemesh/sluice/test/rig"
)

// names shows DNS capture.
func (d demo) names(m *mesh.Mesh) {
	d.heading("3. Names: DNS captured at sleep.full, and nowhere else")
	d.line("")
	rows := [][]cell{{text("who"), text("asks for"), text("answer"), text("the question left the pod")}}
	m.CaptureDNS(d.stage, func() {
		for _, f := range rig.Families() {
			for _, want := range m.Lookups(f) {
				rows = append(rows, d.lookup(want, m.Ask(want, "udp", f), m.Ask(want, "tcp", f)))
			}
		}
	})
	d.table(rows)
}

func (d demo) lookup(want, udp, tcp mesh.Lookup) []cell {
	for network, got := range map[string]mesh.Lookup{"udp": udp, "tcp": tcp} {
		if got != want {
			d.stage.Errorf("by %s got %v, want %v", network, got, want)
		}
	}
	who, left := udp.From, text("no").in(green)
	if udp.AsProxy {
		who += ", as proxy"
	}
	if udp.Left {
		left = text("yes")
	}
	return []cell{text("%s", who), text("%s", udp.Name), text("%s", udp.Answer), left}
}
