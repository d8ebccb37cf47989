package mesh

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// Elsewhere is a name that the name server outside of the mesh knows. Names of
// the mesh's services it does not know.
const Elsewhere = "elsewhere.example"

// resolver is the address of that name server.
func resolver(f rig.Family) netip.AddrPort {
	if f == rig.IPv6 {
		return netip.MustParseAddrPort("[2001:db8:2::53]:53")
	}
	return netip.MustParseAddrPort("198.51.100.53:53")
}

// elsewhere is the address of that name.
func elsewhere(f rig.Family) netip.Addr {
	if f == rig.IPv6 {
		return netip.MustParseAddr("2001:db8:3::80")
	}
	return netip.MustParseAddr("203.0.113.80")
}

func (m *Mesh) startNameserver(t testing.TB) {
	t.Helper()
	m.upstream = &sidecar.Names{Known: map[string][]netip.Addr{Elsewhere: {elsewhere(rig.IPv4), elsewhere(rig.IPv6)}}}
	var at, lines []string
	for _, f := range rig.Families() {
		at = append(at, resolver(f).String())
		lines = append(lines, fmt.Sprintf("addr add %s dev lo", resolver(f).Addr())+map[rig.Family]string{rig.IPv6: " nodad"}[f])
	}
	batch(t, m.Node, lines)
	s, err := sidecar.StartNameserver(m.Node.Net(rig.Root), m.upstream, at...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
}

// names is what a pod's sidecar resolves: the services of the mesh itself, the
// rest upstream.
func (m *Mesh) names(p *Pod) sidecar.Resolver {
	known := map[string][]netip.Addr{}
	for _, s := range m.Pods {
		known[s.Host()] = []netip.Addr{s.Service(rig.IPv4).Addr(), s.Service(rig.IPv6).Addr()}
	}
	return &sidecar.Names{Known: known, Upstream: sidecar.Relay{Net: p.NS.Net(rig.Proxy), Upstream: resolver(rig.IPv4)}}
}

// Lookup is a name that somebody asks the resolver for, and what came of it.
type Lookup struct {
	From string
	// AsProxy questions come from the sidecar's own user.
	AsProxy bool
	// Name is what is asked for.
	Name string
	// Answer is the address, or "no such name", or an error's text.
	Answer string
	// Left says that the question came to the resolver outside.
	Left bool
}

// String is the lookup as a sentence.
func (l Lookup) String() string {
	return fmt.Sprintf("%s (as proxy: %v) asks for %s: %s; came to the resolver: %v", l.From, l.AsProxy, l.Name, l.Answer, l.Left)
}

// Lookups are the questions of the DNS scene for one family, with what shall
// come of them while sleep.full has DNS captured.
func (m *Mesh) Lookups(f rig.Family) []Lookup {
	const none = "no such name"
	part := m.Pod("httpbin.part")
	service, outside := part.Service(f).Addr().String(), elsewhere(f).String()
	return []Lookup{
		{"sleep.full", false, part.Host(), service, false},
		{"sleep.full", false, Elsewhere, outside, true},
		{"sleep.full", true, part.Host(), none, true},
		{"sleep.full", true, Elsewhere, outside, true},
		{"sleep.part", false, part.Host(), none, true},
		{"sleep.legacy", false, part.Host(), none, true},
		{"sleep.legacy", false, Elsewhere, outside, true},
	}
}

// CaptureDNS puts rules that capture DNS into sleep.full, lets play be played,
// and puts back what was.
func (m *Mesh) CaptureDNS(t testing.TB, play func()) {
	t.Helper()
	m.Install(t, m.Pod("sleep.full"), Settings{DNS: true})
	defer m.restore(t)
	play()
}

// Ask asks the resolver of one family, over udp or tcp.
func (m *Mesh) Ask(want Lookup, network string, f rig.Family) Lookup {
	as := rig.App
	if want.AsProxy {
		as = rig.Proxy
	}
	before := len(m.upstream.Asked())
	family := map[rig.Family]string{rig.IPv4: "ip4", rig.IPv6: "ip6"}[f]
	addresses, err := sidecar.Lookup(m.Pod(want.From).NS.Net(as), network, resolver(f), family, want.Name)
	got := want
	got.Left = slices.Contains(m.upstream.Asked()[before:], want.Name)
	switch {
	case err != nil:
		got.Answer = err.Error()
	case len(addresses) == 0:
		got.Answer = "no such name"
	default:
		got.Answer = addresses[0].Unmap().String()
	}
	return got
}
