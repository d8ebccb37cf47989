package libcni

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/sluicemesh/sluice/test/podagent"
	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

func TestMain(m *testing.M) { rig.Main(m) }

const debianPlugins = "/usr/lib/cni"

// node is where the plugins run: a namespace of its own, so that the host of
// these pods is not the machine.
type node struct {
	*rig.Namespace
	t     *testing.T
	dir   string
	bin   string
	agent *podagent.Agent
	cni   *libcni.CNIConfig
	made  int
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, Namespace: rig.NewNamespace(t, "node"), dir: t.TempDir()}
	n.Sysctl("net/ipv4/ip_forward", "1")
	n.Sysctl("net/ipv6/conf/all/forwarding", "1")
	n.bin = filepath.Dir(program.Build(t, "cmd/sluice-cni"))
	for _, p := range []string{"ptp", "bridge", "host-local"} {
		if err := os.Symlink(filepath.Join(debianPlugins, p), filepath.Join(n.bin, p)); err != nil {
			t.Fatal(err)
		}
	}
	n.agent = podagent.Start(t, n.dir)
	var stderr lockedBuffer
	n.cni = libcni.NewCNIConfigWithCacheDir([]string{n.bin}, filepath.Join(n.dir, "cache"), &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: &stderr}})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("plugins said:\n%s", stderr.String())
		}
	})
	return n
}

// lockedBuffer takes what many plugins write at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// primary is a network plugin with an address of each family.
func (n *node) primary(plugin string) string {
	return fmt.Sprintf(`{"type":%q,"bridge":"br0","isGateway":true,"ipam":{"type":"host-local","dataDir":%q,
		"ranges":[[{"subnet":"198.18.9.0/24"}],[{"subnet":"2001:db8:9::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}`, plugin, n.dir+"/ipam")
}

// sluice is our entry, with further keys.
func (n *node) sluice(keys ...string) string {
	keys = append([]string{`"type":"sluice-cni"`, `"capabilities":{"io.kubernetes.cri.pod-annotations":true}`, fmt.Sprintf(`"agent_socket":%q`, n.agent.Socket)}, keys...)
	return "{" + strings.Join(keys, ",") + "}"
}

func (n *node) list(version string, plugins ...string) *libcni.NetworkConfigList {
	n.t.Helper()
	l, err := libcni.NetworkConfFromBytes(fmt.Appendf(nil, `{"cniVersion":%q,"name":"pods","plugins":[%s]}`, version, strings.Join(plugins, ",")))
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

// pod is one container to a runtime.
type pod struct {
	*rig.Namespace
	node *node
	rt   *libcni.RuntimeConf
}

// meshed is an annotation set that the injector has marked.
func meshed(more ...string) map[string]string {
	a := map[string]string{"sidecar.istio.io/status": "{}"}
	for i := 0; i < len(more); i += 2 {
		a[more[i]] = more[i+1]
	}
	return a
}

// kubernetesPod makes a pod that the agent knows, with a proxy beside an app.
func (n *node) kubernetesPod(annotations map[string]string) *pod {
	n.t.Helper()
	p := n.plainPod()
	name, uid := "cart-"+p.rt.ContainerID, "uid-"+p.rt.ContainerID
	var quoted []string
	for k, v := range annotations {
		quoted = append(quoted, fmt.Sprintf("%q:%q", k, v))
	}
	n.agent.Know(fmt.Sprintf(`{"metadata":{"namespace":"shop","name":%q,"uid":%q,"annotations":{%s}},
		"spec":{"containers":[{"name":"app"},{"name":"istio-proxy","securityContext":{"runAsUser":1337,"runAsGroup":1337}}]}}`, name, uid, strings.Join(quoted, ",")))
	p.rt.Args = [][2]string{{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "shop"}, {"K8S_POD_NAME", name}, {"K8S_POD_UID", uid}}
	handedOver := map[string]string{"kubernetes.io/config.source": "api"} // kubelet adds it
	maps.Copy(handedOver, annotations)
	p.rt.CapabilityArgs = map[string]any{"io.kubernetes.cri.pod-annotations": handedOver}
	return p
}

// plainPod is a container without Kubernetes.
func (n *node) plainPod() *pod {
	n.t.Helper()
	n.made++
	ns := rig.NewNamespace(n.t, fmt.Sprintf("pod%d", n.made))
	id := fmt.Sprintf("c%d-%d", os.Getpid(), n.made)
	return &pod{ns, n, &libcni.RuntimeConf{ContainerID: id, NetNS: ns.Path(), IfName: "eth0"}}
}

// The verbs run in the node's namespace; their errors carry the plugin's code.

func (p *pod) add(l *libcni.NetworkConfigList) (r types.Result, err error) {
	p.node.Do(func() { r, err = p.node.cni.AddNetworkList(context.Background(), l, p.rt) })
	return r, err
}

func (p *pod) check(l *libcni.NetworkConfigList) (err error) {
	p.node.Do(func() { err = p.node.cni.CheckNetworkList(context.Background(), l, p.rt) })
	return err
}

func (p *pod) del(l *libcni.NetworkConfigList) (err error) {
	p.node.Do(func() { err = p.node.cni.DelNetworkList(context.Background(), l, p.rt) })
	return err
}

func (p *pod) mustAdd(l *libcni.NetworkConfigList) {
	p.node.t.Helper()
	if _, err := p.add(l); err != nil {
		p.node.t.Fatalf("ADD: %v", err)
	}
}

// code is the CNI error code, 0 for none.
func code(err error) uint {
	var e *types.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// serve starts a sidecar as the proxy and an app in the pod.
func (p *pod) serve(t *testing.T) {
	t.Helper()
	s, err := sidecar.Start(sidecar.Config{Net: p.Net(rig.Proxy), Ports: sidecar.Ports{Out: 15001, In: 15006}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	app, err := sidecar.StartApp(p.Net(rig.App), "app", "0.0.0.0:8080", "[::]:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
}

// addresses are the pod's, one of each family, as the kernel shows them.
func (p *pod) addresses() []netip.Addr {
	p.node.t.Helper()
	var out []netip.Addr
	for _, word := range strings.Fields(p.IP("-br", "addr", "show", "dev", p.rt.IfName, "scope", "global")) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			out = append(out, prefix.Addr())
		}
	}
	if len(out) != 2 {
		p.node.t.Fatalf("pod has addresses %v, want one of each family", out)
	}
	return out
}

// landed says who answers: on the way in at the pod's addresses, on the way out
// to documentation addresses, IPv4 then IPv6.
func (p *pod) landed() string {
	p.node.t.Helper()
	var who []string
	ask := func(n *rig.Namespace, as rig.User, to netip.AddrPort) {
		r, err := sidecar.Ask(n.Net(as), "tcp", to.String())
		if err != nil {
			r.Listener = "nobody"
		}
		who = append(who, r.Listener)
	}
	for _, a := range p.addresses() {
		ask(p.node.Namespace, rig.Root, netip.AddrPortFrom(a, 8080))
	}
	for _, a := range []string{"198.51.100.1:80", "[2001:db8:2::1]:80"} {
		ask(p.Namespace, rig.App, netip.MustParseAddrPort(a))
	}
	return strings.Join(who, " ")
}

// outside gives the node the addresses that pods dial.
func (n *node) outside() {
	n.t.Helper()
	n.IP("addr", "add", "198.51.100.1/32", "dev", "lo")
	n.IP("addr", "add", "2001:db8:2::1/128", "dev", "lo", "nodad")
	app, err := sidecar.StartApp(n.Net(rig.Root), "world", "198.51.100.1:80", "[2001:db8:2::1]:80")
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(app.Close)
}
