package behaviour

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

func TestMain(m *testing.M) { rig.Main(m) }

// scene is settings and what they do to connections.
type scene struct {
	name     string
	settings map[string]string
	rig      []rig.Option
	prepare  func(*testing.T, *rig.Rig)
	probes   []probe
}

// probe is a connection and where it must land.
type probe struct {
	says string // the sentence of the policy that is tried
	from user
	to   place
	port uint16
	udp  bool
	want string // a listener of the sidecar, or the server that was dialled: app, world
}

// user is who connects, and from where.
type user struct {
	rig.User
	outside bool
	iface   string // by which an outsider enters; eth0 if empty
}

var (
	app         = user{User: rig.App}
	root        = user{User: rig.Root}
	proxy       = user{User: rig.Proxy}
	gidProxy    = user{User: rig.RootProxy}
	outsider    = user{outside: true}
	outsiderNet = user{outside: true, iface: "net1"}
)

func uid(uid, gid uint32) user { return user{User: rig.User{UID: uid, GID: gid}} }

// place is an address of a family.
type place func(iptables.Family) netip.Addr

func either(v4, v6 netip.Addr) place {
	return func(f iptables.Family) netip.Addr {
		if f == iptables.V6 {
			return v6
		}
		return v4
	}
}

var (
	service  = either(rig.Service4(1), rig.Service6(1))
	service2 = either(rig.Service4(2), rig.Service6(2))
	itself   = either(rig.Pod4, rig.Pod6)
	loopback = either(netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback())
	world    = either(rig.World4, rig.World6)
	netPod   = either(netip.MustParseAddr("198.18.1.2"), netip.MustParseAddr("2001:db8:18:1::2"))
	netWorld = either(netip.MustParseAddr("198.18.1.1"), netip.MustParseAddr("2001:db8:18:1::1"))
)

// ports on which the pod's application and the servers of the world listen.
func serverPorts() []uint16 { return []uint16{53, 80, 8080, 9090, 15008, 15020, 15021, 15090} }

// servers run on each address by itself: from a wildcard socket the kernel
// would pick the source of a datagram's answer anew.
func servers(t *testing.T, r *rig.Rig, several bool) {
	t.Helper()
	pod, outside := []place{itself, loopback}, []place{service, service2, world}
	if several {
		pod, outside = append(pod, netPod), append(outside, netWorld)
	}
	r.Pod.App(rig.App, "app", addresses(pod)...)
	r.World.App(rig.Root, "world", addresses(outside)...)
}

func addresses(places []place) []string {
	var at []string
	for _, p := range places {
		for _, f := range iptables.Families() {
			for _, port := range serverPorts() {
				at = append(at, netip.AddrPortFrom(p(f), port).String())
			}
		}
	}
	return at
}

func (s scene) config(t *testing.T, b builder.Backend) builder.Config {
	t.Helper()
	var inputs []builder.Input
	for flag, value := range s.settings {
		inputs = append(inputs, builder.Input{Flag: flag, Value: value, Origin: "test"})
	}
	inputs = append(inputs, builder.Input{Flag: "backend", Value: string(b), Origin: "test"})
	parsed, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Config
}

// apply programs the pod and fails the test if it does not verify.
func apply(t *testing.T, r *rig.Rig, c builder.Config) interception.Report {
	t.Helper()
	var report interception.Report
	var err error
	inPod(t, r, func() error {
		report, err = interception.Apply(context.Background(), c, interception.Options{})
		return err
	})
	return report
}

func inPod(t *testing.T, r *rig.Rig, do func() error) {
	t.Helper()
	target, err := netns.ParseTarget(r.Pod.Path())
	if err != nil {
		t.Fatal(err)
	}
	ns, err := netns.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := ns.Do(do); err != nil {
		t.Fatal(err)
	}
}

// run plays the scene with one backend.
func (s scene) run(t *testing.T, b builder.Backend) {
	r := rig.New(t, s.rig...)
	if s.prepare != nil {
		s.prepare(t, r)
	}
	servers(t, r, len(s.rig) > 0)
	c := s.config(t, b)
	proxyUser := rig.Proxy
	if c.Mode == builder.TProxyMode {
		proxyUser = rig.RootProxy
	}
	r.Pod.Sidecar(proxyUser, sidecar.Config{Transparent: c.Mode == builder.TProxyMode})
	apply(t, r, c)
	asked := subjects(t, r, c)
	for _, p := range s.probes {
		for _, f := range iptables.Families() {
			t.Run(fmt.Sprintf("%s/%s", p.says, f), func(t *testing.T) {
				p.check(t, r, c, f)
				p.explained(t, asked, f)
			})
		}
	}
}

func (p probe) network() string {
	if p.udp {
		return "udp"
	}
	return "tcp"
}

func (p probe) check(t *testing.T, r *rig.Rig, c builder.Config, f iptables.Family) {
	to := netip.AddrPortFrom(p.to(f), p.port)
	from := r.Pod
	if p.from.outside {
		from = r.World
	}
	got, err := from.Ask(p.from.User, p.network(), to.String())
	if err != nil {
		t.Fatalf("%s to %s: %v, want it to land on %s", p.network(), to, err, p.want)
	}
	if got.Listener != p.want {
		t.Errorf("%s to %s landed on %s, want %s", p.network(), to, got.Listener, p.want)
	}
	// The kernel looks original destinations up in zone 0 only
	// (net/netfilter/nf_conntrack_proto.c, getorigdst), and queries live in another.
	if got.Original.IsValid() && p.want != sidecar.DNS && got.Original != to {
		t.Errorf("original destination %s, want %s", got.Original, to)
	}
	packet, path := p.packet(f)
	if want := p.listener(builder.Decide(c, packet, path)); want != p.want {
		t.Errorf("the policy says %s, want %s", want, p.want)
	}
}

// packet is the probe's first packet as rules see it.
func (p probe) packet(f iptables.Family) (iptables.Packet, iptables.Path) {
	packet := iptables.Packet{Protocol: iptables.ProtoTCP, Dst: p.to(f), DstPort: iptables.Port(p.port), SrcPort: 40000, State: iptables.StateNew}
	if p.udp {
		packet.Protocol = iptables.ProtoUDP
	}
	if p.from.outside {
		packet.Src, packet.In = world(f), "eth0"
		if p.from.iface != "" {
			packet.Src, packet.In = netWorld(f), p.from.iface
		}
		return packet, iptables.Arriving
	}
	packet.Src, packet.Out = itself(f), "eth0"
	packet.Owner = &iptables.Owner{UID: p.from.UID, GID: p.from.GID}
	switch packet.Dst {
	case itself(f), loopback(f), netPod(f):
		packet.Out = "lo"
	case netWorld(f):
		packet.Out = "net1"
	}
	return packet, iptables.Leaving
}

// listener names who takes a connection with this verdict.
func (p probe) listener(v builder.Verdict) string {
	if v != builder.Direct {
		return string(v)
	}
	if p.to(iptables.V4) == service(iptables.V4) || p.to(iptables.V4) == service2(iptables.V4) ||
		p.to(iptables.V4) == world(iptables.V4) || p.to(iptables.V4) == netWorld(iptables.V4) {
		return "world"
	}
	return "app"
}

func backends() []builder.Backend {
	return []builder.Backend{builder.BackendIptablesNft, builder.BackendIptablesLegacy, builder.BackendNftables}
}

func TestConnectionsLandWhereThePolicySays(t *testing.T) {
	for _, s := range scenes() {
		for _, b := range backends() {
			t.Run(fmt.Sprintf("%s/%s", s.name, b), func(t *testing.T) {
				t.Parallel()
				s.run(t, b)
			})
		}
	}
}

// String reads "uid 1337 gid 0".
func (u user) String() string { return fmt.Sprintf("uid %d gid %d", u.UID, u.GID) }
