package rig

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// The addresses of a rig. Prefixes are /24 and /64.
var (
	Pod4   = netip.MustParseAddr("192.0.2.2")
	Pod6   = netip.MustParseAddr("2001:db8:1::2")
	World4 = netip.MustParseAddr("192.0.2.1")
	World6 = netip.MustParseAddr("2001:db8:1::1")

	// Foreign4 and Foreign6 are owned by nobody, and routed to the pod: what a
	// router or a virtual machine host sees.
	Foreign4 = netip.MustParseAddr("203.0.113.7")
	Foreign6 = netip.MustParseAddr("2001:db8:3::7")
)

// Service4 is the address of the i-th service behind the world, i from 1 to 3.
func Service4(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}) }

// Service6 is [Service4] for IPv6.
func Service6(i int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:2::%d", i))
}

// services is the number of addresses that Service4 and Service6 count.
const services = 3

// Rig is a pod and the world outside of it.
type Rig struct {
	Pod, World *Namespace
}

// Option changes what [New] makes.
type Option func(*plan)

type plan struct {
	interfaces []string
	withoutV6  bool
	withoutV4  bool
}

// WithInterface adds a further veth pair under the same name on both sides. The
// n-th added one has the pod address 198.18.N.2/24 and 2001:db8:18:N::2/64, the
// world has .1 and ::1.
func WithInterface(name string) Option {
	return func(p *plan) { p.interfaces = append(p.interfaces, name) }
}

// WithoutIPv6 switches IPv6 off in the pod by its sysctls, as a node without
// IPv6 does it.
func WithoutIPv6() Option { return func(p *plan) { p.withoutV6 = true } }

// WithoutIPv4 gives the pod no IPv4 address beside those of lo.
func WithoutIPv4() Option { return func(p *plan) { p.withoutV4 = true } }

// New makes a rig that lives as long as the test.
func New(t testing.TB, options ...Option) *Rig {
	t.Helper()
	var p plan
	for _, o := range options {
		o(&p)
	}
	r := &Rig{World: NewNamespace(t, "world"), Pod: NewNamespace(t, "pod")}
	if p.withoutV6 {
		r.Pod.Sysctl("net/ipv6/conf/all/disable_ipv6", "1")
		r.Pod.Sysctl("net/ipv6/conf/default/disable_ipv6", "1")
	}
	r.World.batch(p.worldLinks(r.Pod.Name))
	r.Pod.batch(p.podLines())
	r.World.batch(p.worldRoutes())
	for _, name := range append([]string{"eth0"}, p.interfaces...) {
		r.World.awaitRunning(name)
		r.Pod.awaitRunning(name)
	}
	r.World.settle()
	r.Pod.settle()
	return r
}

// awaitRunning waits until an interface carries packets. The kernel's link
// watcher looks at a new veth at most once a second; until it has, packets are
// dropped, and a lost neighbour solicitation delays a first datagram by seconds
// (net/core/link_watch.c).
func (n *Namespace) awaitRunning(name string) {
	n.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !n.running(name) {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s: %s does not come up", n.Name, name)
		}
		time.Sleep(time.Millisecond)
	}
}

func (n *Namespace) running(name string) (running bool) {
	n.Do(func() {
		i, err := net.InterfaceByName(name)
		running = err == nil && i.Flags&net.FlagRunning != 0
	})
	return running
}

func (p plan) worldLinks(pod string) []string {
	lines := link("eth0", pod, World4, World6)
	for i := 1; i <= services; i++ {
		lines = append(lines,
			fmt.Sprintf("addr add %s/32 dev lo", Service4(i)),
			fmt.Sprintf("addr add %s/128 dev lo nodad", Service6(i)))
	}
	for i, name := range p.interfaces {
		lines = append(lines, link(name, pod, extra4(i, 1), extra6(i, 1))...)
	}
	return lines
}

// link makes a veth pair from the world's side.
func link(name, pod string, v4, v6 netip.Addr) []string {
	return []string{
		fmt.Sprintf("link add %s type veth peer name %s netns %s", name, name, pod),
		fmt.Sprintf("addr add %s/24 dev %s", v4, name),
		fmt.Sprintf("addr add %s/64 dev %s nodad", v6, name),
		fmt.Sprintf("link set %s up", name),
	}
}

func (p plan) podLines() []string {
	lines := p.podLink("eth0", Pod4, Pod6)
	for i, name := range p.interfaces {
		lines = append(lines, p.podLink(name, extra4(i, 2), extra6(i, 2))...)
	}
	if !p.withoutV4 {
		lines = append(lines, fmt.Sprintf("route add default via %s", World4))
	}
	if !p.withoutV6 {
		lines = append(lines, fmt.Sprintf("route add default via %s", World6))
	}
	return lines
}

func (p plan) podLink(name string, v4, v6 netip.Addr) []string {
	lines := []string{fmt.Sprintf("link set %s up", name)}
	if !p.withoutV4 {
		lines = append(lines, fmt.Sprintf("addr add %s/24 dev %s", v4, name))
	}
	if !p.withoutV6 {
		lines = append(lines, fmt.Sprintf("addr add %s/64 dev %s nodad", v6, name))
	}
	return lines
}

func (p plan) worldRoutes() []string {
	return []string{
		fmt.Sprintf("route add 203.0.113.0/24 via %s", Pod4),
		fmt.Sprintf("route add 2001:db8:3::/64 via %s", Pod6),
	}
}

func extra4(i, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(i + 1), byte(host)})
}

func extra6(i, host int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:18:%d::%d", i+1, host))
}
