package mesh

import (
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// Scene is a state of the mesh and the calls that are made in it.
type Scene struct {
	// Name is the state in a few words, Note what it shows.
	Name, Note string
	// Rows are the calls, with what shall come of them.
	Rows []Row

	prepare func(t testing.TB, m *Mesh, f rig.Family)
}

// Play brings the mesh into the scene's state, makes the calls of one family,
// and puts back what it changed.
func (s Scene) Play(t testing.TB, m *Mesh, f rig.Family) []Outcome {
	t.Helper()
	if s.prepare != nil {
		s.prepare(t, m, f)
		defer m.restore(t)
	}
	var all []Outcome
	for _, want := range s.Rows {
		all = append(all, m.Call(t, want, f))
	}
	return all
}

// Identities of the clients.
var (
	sleepFull = sidecar.SPIFFE(Full, "sleep")
	sleepPart = sidecar.SPIFFE(Part, "sleep")
)

// Scenes lists them all.
func Scenes() []Scene {
	return slices.Concat(policies(), exclusions(), []Scene{tproxy(), selfCall()}, sidecarDown())
}

// matrix is who reaches whom while every sidecar takes both.
func matrix() []Row {
	return []Row{
		{"sleep.full", "httpbin.full", false, "200", TLS, sleepFull, ItsSidecar},
		{"sleep.full", "httpbin.part", false, "200", TLS, sleepFull, ItsSidecar},
		{"sleep.full", "httpbin.legacy", false, "200", Plain, "", "sleep.full"},
		{"sleep.part", "httpbin.full", false, "200", TLS, sleepPart, ItsSidecar},
		{"sleep.part", "httpbin.part", false, "200", TLS, sleepPart, ItsSidecar},
		{"sleep.part", "httpbin.legacy", false, "200", Plain, "", "sleep.part"},
		{"sleep.legacy", "httpbin.full", false, "200", Plain, "", ItsSidecar},
		{"sleep.legacy", "httpbin.part", false, "200", Plain, "", ItsSidecar},
		{"sleep.legacy", "httpbin.legacy", false, "200", Plain, "", "sleep.legacy"},
	}
}

// but is the matrix with other ends of the calls to these servers from clients
// with, or without, a sidecar.
func but(clientsHaveSidecar bool, status string, wire Wire, servers ...string) []Row {
	rows := matrix()
	for i, r := range rows {
		if slices.Contains(servers, r.To) && (r.From != "sleep.legacy") == clientsHaveSidecar {
			rows[i] = Row{r.From, r.To, false, status, wire, "", ""}
		}
	}
	return rows
}

// policies are the scenes of what servers accept and clients speak.
func policies() []Scene {
	accept := func(mode sidecar.Mode, namespaces ...string) func(testing.TB, *Mesh, rig.Family) {
		return func(_ testing.TB, m *Mesh, _ rig.Family) { m.Accept(mode, namespaces...) }
	}
	return []Scene{
		{
			Name: "PERMISSIVE",
			Note: "everybody reaches everybody; between two sidecars it is mutual TLS",
			Rows: matrix(),
		},
		{
			Name:    "STRICT",
			Note:    "a client without a sidecar is reset; a client with one still reaches a server without",
			Rows:    but(false, "reset", Plain, "httpbin.full", "httpbin.part"),
			prepare: accept(sidecar.Strict),
		},
		{
			Name:    "STRICT in namespace full",
			Note:    "part still takes plain text",
			Rows:    but(false, "reset", Plain, "httpbin.full"),
			prepare: accept(sidecar.Strict, Full),
		},
		{
			Name:    "STRICT in namespace part, whose clients are told to speak plain text",
			Note:    "the two disagree: the client's sidecar answers 503 for the reset that it got",
			Rows:    append(but(false, "reset", Plain, "httpbin.part")[6:], but(true, "503", Plain, "httpbin.part")[1], but(true, "503", Plain, "httpbin.part")[4]),
			prepare: disagree,
		},
	}
}

func disagree(_ testing.TB, m *Mesh, _ rig.Family) {
	m.Accept(sidecar.Strict, Part)
	for _, p := range m.in(nil) {
		p.Proxy.Speak(sidecar.Disable)
	}
}

// exclusions are the scenes of connections that are left alone.
func exclusions() []Scene {
	install := func(pod string, s Settings) func(testing.TB, *Mesh, rig.Family) {
		return func(t testing.TB, m *Mesh, _ rig.Family) { t.Helper(); m.Install(t, m.Pod(pod), s) }
	}
	return []Scene{
		{
			Name: "outbound port 8000 excluded at sleep.full",
			Note: "its sidecar sees nothing of the calls: plain text, no identity",
			Rows: []Row{
				{"sleep.full", "httpbin.full", false, "200", Plain, "", ItsSidecar},
				{"sleep.full", "httpbin.legacy", false, "200", Plain, "", "sleep.full"},
				{"sleep.full", "httpbin.part", true, "200", TLS, sleepFull, ItsSidecar}, // port 8080
				{"sleep.part", "httpbin.full", false, "200", TLS, sleepPart, ItsSidecar},
			},
			prepare: install("sleep.full", Settings{ExcludeOutboundPorts: "8000"}),
		},
		{
			Name: "the CIDRs of httpbin.part's service excluded at sleep.full",
			Note: "only calls to these addresses are left alone",
			Rows: []Row{
				{"sleep.full", "httpbin.part", false, "200", Plain, "", ItsSidecar},
				{"sleep.full", "httpbin.full", false, "200", TLS, sleepFull, ItsSidecar},
				{"sleep.part", "httpbin.part", false, "200", TLS, sleepPart, ItsSidecar},
			},
			prepare: func(t testing.TB, m *Mesh, _ rig.Family) {
				t.Helper()
				part := m.Pod("httpbin.part")
				m.Install(t, m.Pod("sleep.full"), Settings{ExcludeOutboundCIDRs: part.Service(rig.IPv4).Addr().String() + "/32," + part.Service(rig.IPv6).Addr().String() + "/128"})
			},
		},
		{
			Name: "inbound port 8080 excluded at httpbin.full, which is STRICT",
			Note: "the excluded port is the application's own: what STRICT says does not reach it",
			Rows: []Row{
				{"sleep.legacy", "httpbin.full", false, "200", Plain, "", "sleep.legacy"},
				{"sleep.legacy", "httpbin.part", false, "reset", Plain, "", ""},
			},
			prepare: func(t testing.TB, m *Mesh, _ rig.Family) {
				t.Helper()
				m.Accept(sidecar.Strict)
				m.Install(t, m.Pod("httpbin.full"), Settings{ExcludeInboundPorts: "8080"})
			},
		},
	}
}

func tproxy() Scene {
	return Scene{
		Name: "TPROXY at httpbin.full",
		Note: "the application sees its client's own address, through TLS too",
		Rows: []Row{
			{"sleep.full", "httpbin.full", false, "200", TLS, sleepFull, "sleep.full"},
			{"sleep.part", "httpbin.full", false, "200", TLS, sleepPart, "sleep.part"},
			{"sleep.legacy", "httpbin.full", false, "200", Plain, "", "sleep.legacy"},
			{"sleep.legacy", "httpbin.full", true, "200", Plain, "", "sleep.legacy"},
			{"sleep.full", "httpbin.part", false, "200", TLS, sleepFull, ItsSidecar},
		},
		prepare: func(t testing.TB, m *Mesh, _ rig.Family) {
			t.Helper()
			m.Install(t, m.Pod("httpbin.full"), Settings{TPROXY: true})
		},
	}
}

// selfCall never comes to the node, so the wire is silent: that it was TLS is
// shown by the identity, which only a handshake brings.
func selfCall() Scene {
	return Scene{
		Name: "a pod that calls itself",
		Note: "through its service it passes both sides of its sidecar; by its own address it stays on loopback",
		Rows: []Row{
			{"httpbin.full", "httpbin.full", false, "200", Silent, sidecar.SPIFFE(Full, "httpbin"), ItsSidecar},
			{"httpbin.full", "httpbin.full", true, "200", Silent, "", "httpbin.full"},
		},
	}
}

func sidecarDown() []Scene {
	stop := func(pod string) func(testing.TB, *Mesh, rig.Family) {
		return func(_ testing.TB, m *Mesh, _ rig.Family) { m.stop(m.Pod(pod)) }
	}
	return []Scene{
		{
			Name: "the sidecar of sleep.full is down",
			Note: "it fails closed: not one packet leaves for the server",
			Rows: []Row{
				{"sleep.full", "httpbin.full", false, "refused", Silent, "", ""},
				{"sleep.full", "httpbin.legacy", false, "refused", Silent, "", ""},
				{"sleep.part", "httpbin.full", false, "200", TLS, sleepPart, ItsSidecar},
			},
			prepare: stop("sleep.full"),
		},
		{
			Name: "the sidecar of httpbin.full is down",
			Note: "the application behind it is not reached by anybody",
			Rows: []Row{
				{"sleep.full", "httpbin.full", false, "503", Closed, "", ""},
				{"sleep.legacy", "httpbin.full", false, "refused", Closed, "", ""},
				{"sleep.legacy", "httpbin.part", false, "200", Plain, "", ItsSidecar},
			},
			prepare: stop("httpbin.full"),
		},
	}
}
