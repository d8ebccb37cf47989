package sidecar_test

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/test/sock"
)

func TestMain(m *testing.M) { rig.Main(m) }

// world is the addresses of one family.
type world struct {
	family                          rig.Family
	any, pod, service, service2, lo string
	six                             netip.Addr
}

var worlds = []world{
	{rig.IPv4, "0.0.0.0", rig.Pod4.String(), rig.Service4(1).String(), rig.Service4(2).String(), "127.0.0.1", netip.MustParseAddr("127.0.0.6")},
	{rig.IPv6, "[::]", "[" + rig.Pod6.String() + "]", "[" + rig.Service6(1).String() + "]", "[" + rig.Service6(2).String() + "]", "[::1]", netip.MustParseAddr("::6")},
}

// eachWorld runs a test in both flavours and families.
func eachWorld(t *testing.T, test func(*testing.T, *rig.Rig, rig.Flavour, world)) {
	for _, f := range rig.Flavours() {
		for _, w := range worlds {
			t.Run(fmt.Sprintf("%s-IPv%d", f, w.family), func(t *testing.T) { test(t, rig.New(t), f, w) })
		}
	}
}

// redirect is the least that interception is: what isn't the proxy's goes to
// Out, what enters goes to In.
const redirect = `*nat
-A PREROUTING -i eth0 -p tcp -j REDIRECT --to-ports 15006
-A OUTPUT -p udp -m udp --dport 53 -m owner ! --uid-owner 1337 -j REDIRECT --to-ports 15053
-A OUTPUT -p tcp -m tcp --dport 53 -m owner ! --uid-owner 1337 -j REDIRECT --to-ports 15053
-A OUTPUT ! -o lo -p tcp -m owner ! --uid-owner 1337 -j REDIRECT --to-ports 15001
COMMIT
`

func ask(t *testing.T, n *rig.Namespace, as rig.User, network, to string) sidecar.Report {
	t.Helper()
	r, err := n.Ask(as, network, to)
	if err != nil {
		t.Errorf("%s to %s: %v", network, to, err)
	}
	return r
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestRedirectedConnectionsReportTheirOriginalDestination(t *testing.T) {
	eachWorld(t, func(t *testing.T, r *rig.Rig, f rig.Flavour, w world) {
		s := r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
		r.Pod.Restore(f, w.family, redirect)
		for _, tc := range []struct {
			from     *rig.Namespace
			to       string
			listener string
		}{
			{r.Pod, w.service + ":80", sidecar.Out},
			{r.World, w.pod + ":80", sidecar.In},
			{r.Pod, w.service + ":53", sidecar.DNS},
		} {
			got := ask(t, tc.from, rig.App, "tcp", tc.to)
			if got.Listener != tc.listener || got.Original != addr(tc.to) {
				t.Errorf("to %s: got %v, want listener=%s orig=%s", tc.to, got, tc.listener, tc.to)
			}
		}
		if got := len(s.Reports()); got != 3 {
			t.Errorf("log: got %d reports, want 3: %v", got, s.Reports())
		}
		if errs := s.Errors(); len(errs) != 0 {
			t.Errorf("got errors %v, want none", errs)
		}
	})
}

func TestWithoutInterceptionTheAppItselfAnswers(t *testing.T) {
	for _, w := range worlds {
		r := rig.New(t)
		r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
		app := r.Pod.App(rig.App, "app", w.any+":80")
		r.World.App(rig.Root, "service", w.service+":80")
		if got := ask(t, r.World, rig.Root, "tcp", w.pod+":80"); got.Listener != "app" || got.Local != addr(w.pod+":80") {
			t.Errorf("inbound: got %v, want app at %s:80", got, w.pod)
		}
		for _, network := range []string{"tcp", "udp"} {
			if got := ask(t, r.Pod, rig.App, network, w.service+":80"); got.Listener != "service" || got.Network != network {
				t.Errorf("outbound %s: got %v, want service", network, got)
			}
		}
		if got := len(app.Reports()); got != 1 {
			t.Errorf("the app's log: got %d, want 1", got)
		}
		if got := ask(t, r.Pod, rig.App, "tcp", w.lo+":15001"); got.Listener != sidecar.Out || got.Original != addr(w.lo+":15001") {
			t.Errorf("dialled directly: got %v, want Out and its own address", got)
		}
	}
}

func TestForwardingPassesThroughBothSides(t *testing.T) {
	eachWorld(t, func(t *testing.T, r *rig.Rig, f rig.Flavour, w world) {
		r.Pod.IP("addr", "add", "::6/128", "dev", "lo", "nodad")
		s := r.Pod.Sidecar(rig.Proxy, sidecar.Config{Handler: sidecar.Forward{}})
		r.Pod.App(rig.App, "app", w.any+":8080")
		r.World.App(rig.Root, "service", w.service+":80")
		r.Pod.Restore(f, w.family, redirect)
		if got := ask(t, r.World, rig.Root, "tcp", w.pod+":8080"); got.Listener != "app" || got.Peer.Addr() != w.six {
			t.Errorf("inbound: got %v, want app with peer %v; the sidecar says %v", got, w.six, s.Errors())
		}
		if got := ask(t, r.Pod, rig.App, "tcp", w.service+":80"); got.Listener != "service" || got.Peer.Addr() != addr(w.pod+":0").Addr() {
			t.Errorf("outbound: got %v, want service with peer %s", got, w.pod)
		}
		if got := len(s.Reports()); got != 2 {
			t.Errorf("the sidecar's log: got %v, want both connections", s.Reports())
		}
		if got, err := r.World.Ask(rig.Root, "tcp", w.pod+":9"); err == nil {
			t.Errorf("to a port where no app listens: got %v, want a reset", got)
		}
	})
}

func TestForwardingCarriesBothDirectionsAndTheEnd(t *testing.T) {
	w := worlds[0]
	r := rig.New(t)
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{Handler: sidecar.Forward{}})
	r.World.App(rig.Root, "service", w.service+":80")
	r.Pod.Restore(rig.NFT, w.family, redirect)
	c, err := r.Pod.Dial(rig.App, "tcp", w.service+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := sidecar.Question(c); err != nil {
		t.Fatal(err)
	}
	sent := strings.Repeat("a line that comes back\n", 20000)
	go func() {
		_, _ = io.WriteString(c, sent)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil || string(got) != sent {
		t.Errorf("got %d bytes (error %v), want the %d that were sent", len(got), err, len(sent))
	}
}

// tproxy is the least of TPROXY mode, for what enters by eth0. Only the
// connection from the sidecar to the app carries the connmark: the answers to
// the client itself have to leave by eth0.
const tproxy = `*mangle
-A PREROUTING -i eth0 -p tcp -j TPROXY --on-port 15006 --tproxy-mark 1337
-A PREROUTING -i lo -p tcp -m mark --mark 1337 -j CONNMARK --save-mark
-A OUTPUT -p tcp -m connmark --mark 1337 -j MARK --set-mark 1337
COMMIT
`

func TestTransparentSidecarSeesAndUsesTheClientsAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, r *rig.Rig, f rig.Flavour, w world) {
		r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: true})
		transparent(r, f, w)
		got := ask(t, r.World, rig.Root, "tcp", w.pod+":8080")
		if got.Listener != sidecar.In || got.Original != addr(w.pod+":8080") || got.Local != got.Original {
			t.Errorf("got %v, want In with local and original address %s:8080", got, w.pod)
		}
	})
	eachWorld(t, func(t *testing.T, r *rig.Rig, f rig.Flavour, w world) {
		s := r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: true, Handler: sidecar.Forward{}})
		r.Pod.App(rig.App, "app", w.any+":8080")
		transparent(r, f, w)
		from := sock.Options{From: netip.AddrPortFrom(addr(w.service2+":0").Addr(), 4242)}
		got, err := sidecar.Ask(r.World.Net(rig.Root), "tcp", w.pod+":8080", from)
		if err != nil || got.Listener != "app" || got.Peer.Addr() != from.From.Addr() {
			t.Errorf("got %v (error %v; the sidecar's: %v), want app with peer %v", got, err, s.Errors(), from.From.Addr())
		}
	})
}

func transparent(r *rig.Rig, f rig.Flavour, w world) {
	r.Pod.Restore(f, w.family, tproxy)
	family := fmt.Sprintf("-%d", w.family)
	r.Pod.IP(family, "rule", "add", "fwmark", "1337", "lookup", "133")
	r.Pod.IP(family, "route", "add", "local", "default", "dev", "lo", "table", "133")
}

func TestDNSIsAnsweredOrRelayed(t *testing.T) {
	eachWorld(t, func(t *testing.T, r *rig.Rig, f rig.Flavour, w world) {
		s := r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
		r.Pod.Restore(f, w.family, redirect)
		if got := ask(t, r.Pod, rig.App, "udp", w.service+":53"); got.Listener != sidecar.DNS || got.Network != "udp" || got.Local != addr(w.lo+":15053") {
			t.Errorf("got %v, want DNS over udp at %s:15053", got, w.lo)
		}
		s.Close()
		r.World.App(rig.Root, "resolver", w.service2+":53")
		relay := sidecar.Relay{Net: r.Pod.Net(rig.Proxy), Upstream: addr(w.service2 + ":53")}
		r.Pod.Sidecar(rig.Proxy, sidecar.Config{Resolver: relay})
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, r.Pod, rig.App, network, w.service+":53"); got.Listener != "resolver" || got.Local != relay.Upstream {
				t.Errorf("%s: got %v, want the resolver at %v", network, got, relay.Upstream)
			}
		}
	})
}

func TestSidecarStartsWithoutIPv6(t *testing.T) {
	r := rig.New(t, rig.WithoutIPv6())
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
	if got := ask(t, r.Pod, rig.App, "tcp", "127.0.0.1:15053"); got.Listener != sidecar.DNS {
		t.Errorf("got %v, want DNS", got)
	}
}
