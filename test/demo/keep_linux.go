package main

import (
	"path/filepath"

	"github.com/sluicemesh/sluice/test/mesh"
	"github.com/sluicemesh/sluice/test/rig"
)

// wait leaves the mesh in place, says what to try in it, and returns when the
// user has had enough.
func (d demo) wait(m *mesh.Mesh) {
	full, legacy, server := m.Pod("sleep.full"), m.Pod("sleep.legacy"), m.Pod("httpbin.full")
	in := "ip netns exec "
	asApp := " setpriv --reuid=1000 --regid=1000 --clear-groups "
	asProxy := " setpriv --reuid=1337 --regid=1337 --clear-groups "
	get := filepath.Join(filepath.Dir(d.program), "testsidecar") + " get "
	service := server.Service(rig.IPv4).String()
	d.heading("Left in place until Ctrl-C. Try, in another terminal as root:")
	for _, try := range [][2]string{
		{"an application of the mesh asks another: mutual TLS", in + full.NS.Name + asApp + get + service},
		{"one without a sidecar asks: plain text, no identity", in + legacy.NS.Name + asApp + get + service},
		{"the proxy's own uid passes by the rules", in + full.NS.Name + asProxy + get + service},
		{"the rules and their counters", d.counting(full)},
		{"are they still what they should be?", typed(append([]string{d.program, "check", "--netns", full.NS.Name, "--backend", d.backend.Name}, mesh.Settings{}.Flags()...))},
		{"what would happen to a connection?", typed([]string{d.program, "explain", "--live", "--netns", full.NS.Name, "--to", service})},
		{"watch the wire", in + m.Node.Name + " tcpdump -nAi " + server.Link},
	} {
		d.line("\n  %s\n  %s", d.paint(dim, "# "+try[0]), d.paint(blue, try[1]))
	}
	d.stage.waiting.Store(true)
	<-d.ended
}

// counting is how one reads the rules' counters.
func (d demo) counting(p *mesh.Pod) string {
	in := "ip netns exec " + p.NS.Name + " "
	if d.backend.Name == "nftables" {
		return in + "nft list ruleset"
	}
	return in + d.backend.Name + " -t nat -vnL"
}
