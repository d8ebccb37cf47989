package mesh

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// The namespaces of the scenes, as a cluster means the word. The pods of the
// last one have no sidecar.
const (
	Full   = "full"
	Part   = "part"
	Legacy = "legacy"
)

// Namespaces lists them.
func Namespaces() []string { return []string{Full, Part, Legacy} }

// Ports of every service and of the application behind it.
const (
	ServicePort = 8000
	AppPort     = 8080
)

// Pod is a network namespace with an application and, if it is of the mesh, a
// sidecar.
type Pod struct {
	// Name is the application's with its namespace: "sleep.full".
	Name string
	// NS is where it runs.
	NS *rig.Namespace
	// ID is the sidecar's identity; empty without a sidecar.
	ID string
	// Proxy is what the sidecar does; nil without one.
	Proxy *sidecar.Mutual
	// Sidecar is the running sidecar; nil without one.
	Sidecar *sidecar.Sidecar
	// Link is the node's end of the pod's wire.
	Link string

	number  int
	tap     *Tap
	changed bool // its rules are not those of the zero settings
}

// Addr is the pod's address.
func (p *Pod) Addr(f rig.Family) netip.Addr { return podAddr(p.number, 2, f) }

// Service is the virtual address of the pod's application.
func (p *Pod) Service(f rig.Family) netip.AddrPort {
	addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(p.number)})
	if f == rig.IPv6 {
		addr = netip.MustParseAddr(fmt.Sprintf("2001:db8:2::%d", p.number))
	}
	return netip.AddrPortFrom(addr, ServicePort)
}

// Host is the service's name.
func (p *Pod) Host() string {
	app, namespace, _ := strings.Cut(p.Name, ".")
	return app + "." + namespace + ".svc.cluster.local"
}

// podAddr is an address of the n-th pod's own network: 1 is the node, 2 the pod.
func podAddr(n, host int, f rig.Family) netip.Addr {
	if f == rig.IPv6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:18:%d::%d", n, host))
	}
	return netip.AddrFrom4([4]byte{198, 18, byte(n), byte(host)})
}

// Mesh is a node with pods: a client and a server in each namespace.
type Mesh struct {
	Node *rig.Namespace
	Pods []*Pod

	backend  Backend
	path     Path
	services map[netip.AddrPort]sidecar.Service
	upstream *sidecar.Names
}

// New makes the pods, starts what runs in them, and puts the rules in place by
// the given path and backend. It lives as long as the test.
func New(t testing.TB, path Path, backend Backend) *Mesh {
	t.Helper()
	m := &Mesh{Node: rig.NewNamespace(t, "node"), backend: backend, path: path, services: map[netip.AddrPort]sidecar.Service{}}
	m.Node.Sysctl("net/ipv4/ip_forward", "1")
	m.Node.Sysctl("net/ipv6/conf/all/forwarding", "1")
	for _, namespace := range Namespaces() {
		m.addPod(t, "sleep", namespace)
		m.addPod(t, "httpbin", namespace)
	}
	m.serve(t)
	m.startNameserver(t)
	m.startSidecars(t)
	return m
}

// Pod is the pod of this name.
func (m *Mesh) Pod(name string) *Pod {
	for _, p := range m.Pods {
		if p.Name == name {
			return p
		}
	}
	panic("no pod " + name)
}

// Install puts rules for these settings into a pod's namespace.
func (m *Mesh) Install(t testing.TB, p *Pod, s Settings) {
	t.Helper()
	p.changed = s != Settings{}
	m.path.Install(t, p.NS, s, m.backend)
}

// stop ends a pod's sidecar.
func (m *Mesh) stop(p *Pod) {
	p.Sidecar.Close()
	p.Sidecar = nil
}

// restore brings the mesh back to what New made.
func (m *Mesh) restore(t testing.TB) {
	t.Helper()
	for _, p := range m.in(nil) {
		p.Proxy.Accept(sidecar.Permissive)
		p.Proxy.Speak(sidecar.Permissive)
		if p.changed {
			m.Install(t, p, Settings{})
		}
		if p.Sidecar == nil {
			m.start(t, p)
		}
	}
}

func (m *Mesh) start(t testing.TB, p *Pod) {
	t.Helper()
	p.Sidecar = p.NS.Sidecar(rig.Proxy, sidecar.Config{Handler: p.Proxy, Transparent: true, Resolver: m.names(p)})
}

// Accept sets what the sidecars of a namespace accept from their clients.
func (m *Mesh) Accept(mode sidecar.Mode, namespaces ...string) {
	for _, p := range m.in(namespaces) {
		p.Proxy.Accept(mode)
	}
}

// in lists the pods with a sidecar of these namespaces; of all without any.
func (m *Mesh) in(namespaces []string) []*Pod {
	var list []*Pod
	for _, p := range m.Pods {
		_, namespace, _ := strings.Cut(p.Name, ".")
		if p.Proxy != nil && (len(namespaces) == 0 || slices.Contains(namespaces, namespace)) {
			list = append(list, p)
		}
	}
	return list
}

// addPod makes the namespace and its wire to the node.
func (m *Mesh) addPod(t testing.TB, app, namespace string) {
	t.Helper()
	n := len(m.Pods) + 1
	p := &Pod{Name: app + "." + namespace, NS: rig.NewNamespace(t, app+namespace), Link: app + "-" + namespace, number: n}
	if namespace != Legacy {
		p.ID = sidecar.SPIFFE(namespace, app)
	}
	batch(t, m.Node, append([]string{fmt.Sprintf("link add %s type veth peer name eth0 netns %s", p.Link, p.NS.Name)}, ends(p.Link, n, 1)...))
	batch(t, p.NS, append(ends("eth0", n, 2),
		fmt.Sprintf("route add default via %s", podAddr(n, 1, rig.IPv4)),
		fmt.Sprintf("route add default via %s", podAddr(n, 1, rig.IPv6))))
	p.tap = NewTap(t, m.Node, p.Link)
	m.Pods = append(m.Pods, p)
}

// ends is one end of a wire with its addresses.
func ends(device string, n, host int) []string {
	return []string{
		fmt.Sprintf("addr add %s/24 dev %s", podAddr(n, host, rig.IPv4), device),
		fmt.Sprintf("addr add %s/64 dev %s nodad", podAddr(n, host, rig.IPv6), device),
		fmt.Sprintf("link set %s up", device),
	}
}

// batch runs one ip(8) for many lines.
func batch(t testing.TB, n *rig.Namespace, lines []string) {
	t.Helper()
	text := strings.Join(lines, "\n") + "\n"
	if r := n.RunCmd(rig.Cmd{Args: []string{"ip", "-batch", "-"}, Stdin: text}); r.Err != nil {
		t.Fatalf("ip -batch in %s: %v: %s\n%s", n.Name, r.Err, r.Stderr, text)
	}
}

// serve starts the applications, and lets the node translate the services'
// virtual addresses for clients that have no sidecar to do it.
func (m *Mesh) serve(t testing.TB) {
	t.Helper()
	var rules strings.Builder
	for _, p := range m.Pods {
		app, err := sidecar.StartHTTPApp(p.NS.Net(rig.App), p.Name, fmt.Sprintf("0.0.0.0:%d", AppPort), fmt.Sprintf("[::]:%d", AppPort))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(app.Close)
		for _, f := range rig.Families() {
			service, endpoint := p.Service(f), netip.AddrPortFrom(p.Addr(f), AppPort)
			family := map[rig.Family]string{rig.IPv4: "ip", rig.IPv6: "ip6"}[f]
			fmt.Fprintf(&rules, "%s daddr %s tcp dport %d dnat %s to %s\n", family, service.Addr(), service.Port(), family, endpoint)
			m.services[service] = sidecar.Service{Host: p.Host(), Port: ServicePort, Endpoint: endpoint, ID: p.ID}
			m.services[endpoint] = m.services[service]
		}
	}
	text := "table inet services {\nchain prerouting {\ntype nat hook prerouting priority -100\n" + rules.String() + "}\n}\n"
	if r := m.Node.RunCmd(rig.Cmd{Args: []string{"nft", "-f", "-"}, Stdin: text}); r.Err != nil {
		t.Fatalf("services of the node: %v: %s\n%s", r.Err, r.Stderr, text)
	}
}

func (m *Mesh) startSidecars(t testing.TB) {
	t.Helper()
	ca, err := sidecar.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Pods {
		if p.ID == "" {
			continue
		}
		identity, err := ca.Issue(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		p.Proxy = sidecar.NewMutual(identity, m.services)
		m.start(t, p)
		m.Install(t, p, Settings{})
	}
}
