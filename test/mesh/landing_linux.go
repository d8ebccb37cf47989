package mesh

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// The listeners of the landing scene beside the sidecar's own.
const (
	AppName     = "app"     // in the pod, beside the sidecar
	ServiceName = "service" // in the world
)

// Landing is a pod whose sidecar answers for itself: whoever connects learns
// where the connection landed.
type Landing struct {
	Rig *rig.Rig
}

// NewLanding starts a sidecar and an application in a pod, and a service
// outside of it.
func NewLanding(t testing.TB) Landing {
	t.Helper()
	r := rig.New(t)
	r.Pod.App(rig.App, AppName, "0.0.0.0:8080", "[::]:8080", "0.0.0.0:15020", "[::]:15020")
	r.World.App(rig.App, ServiceName, "0.0.0.0:80", "[::]:80")
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
	return Landing{r}
}

// Probe is a connection to open and where it shall land.
type Probe struct {
	// Who is the application, the proxy or an outsider.
	Who string
	// What says what the address is.
	What string
	To   netip.AddrPort
	// Lands is the listener that shall take it, and Captured that this is the
	// sidecar, which then knows the original destination.
	Lands    string
	Captured bool

	from *rig.Namespace
	as   rig.User
}

// Landed is a probe and where it did land.
type Landed struct {
	Probe
	Got sidecar.Report
	Err error
}

// Wrong says what is not as it should be; empty if all is.
func (l Landed) Wrong() string {
	switch {
	case l.Err != nil:
		return l.Err.Error()
	case l.Got.Listener != l.Lands:
		return fmt.Sprintf("landed at %s, want %s", l.Got.Listener, l.Lands)
	case l.Captured && l.Got.Original != l.To:
		return fmt.Sprintf("original destination %v, want %v", l.Got.Original, l.To)
	}
	return ""
}

// Probes are the connections of the scene for one family.
func (l Landing) Probes(f rig.Family) []Probe {
	pod, service, loopback := rig.Pod4, rig.Service4(1), netip.MustParseAddr("127.0.0.1")
	if f == rig.IPv6 {
		pod, service, loopback = rig.Pod6, rig.Service6(1), netip.IPv6Loopback()
	}
	at := netip.AddrPortFrom
	app := func(p Probe) Probe { p.Who, p.from, p.as = "app", l.Rig.Pod, rig.App; return p }
	proxy := func(p Probe) Probe { p.Who, p.from, p.as = "proxy", l.Rig.Pod, rig.Proxy; return p }
	outsider := func(p Probe) Probe { p.Who, p.from, p.as = "outsider", l.Rig.World, rig.App; return p }
	return []Probe{
		app(Probe{What: "a service", To: at(service, 80), Lands: sidecar.Out, Captured: true}),
		app(Probe{What: "itself, by loopback", To: at(loopback, 8080), Lands: AppName}),
		app(Probe{What: "itself, by the pod's address", To: at(pod, 8080), Lands: AppName}),
		proxy(Probe{What: "a service", To: at(service, 80), Lands: ServiceName}),
		proxy(Probe{What: "its own pod's app", To: at(pod, 8080), Lands: sidecar.In, Captured: true}),
		outsider(Probe{What: "the app", To: at(pod, 8080), Lands: sidecar.In, Captured: true}),
		outsider(Probe{What: "an excluded port", To: at(pod, 15020), Lands: AppName}),
	}
}

// Land opens the connection.
func (p Probe) Land() Landed {
	got, err := p.from.Ask(p.as, "tcp", p.To.String())
	return Landed{p, got, err}
}
