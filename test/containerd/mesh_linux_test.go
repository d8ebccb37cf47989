package containerd

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/podagent"
	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// mesh is a node whose runtime chains sluice-cni after ptp.
type mesh struct {
	*Runtime
	t     *testing.T
	agent *podagent.Agent
	made  int
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	r := Start(t)
	m := &mesh{Runtime: r, t: t, agent: podagent.Start(t, r.Dir)}
	r.Plugin("sluice-cni", program.Build(t, "cmd/sluice-cni"))
	r.Conflist("10-pods.conflist", ptp(r, fmt.Sprintf(`,{"type":"sluice-cni","capabilities":{"io.kubernetes.cri.pod-annotations":true},
		"agent_socket":%q,"log_file":%q,"log_level":"debug"}`, m.agent.Socket, m.pluginLog())))
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(m.pluginLog())
			t.Logf("the plugin said:\n%s", text)
		}
	})
	m.Node.IP("addr", "add", "198.51.100.1/32", "dev", "lo")
	m.Node.IP("addr", "add", "2001:db8:2::1/128", "dev", "lo", "nodad")
	world, err := sidecar.StartApp(m.Node.Net(rig.Root), "world", "198.51.100.1:80", "[2001:db8:2::1]:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	return m
}

// lend lets a subtest fail in its own name, until the returned function is called.
func (m *mesh) lend(t *testing.T) (giveBack func()) {
	mine, runtimes := m.t, m.Runtime.t
	m.t, m.Runtime.t = t, t
	return func() { m.t, m.Runtime.t = mine, runtimes }
}

func (m *mesh) pluginLog() string { return filepath.Join(m.Dir, "logs", "sluice-cni.log") }

// injected is what the mesh's injector leaves on a pod, and more.
func injected(more ...string) map[string]string {
	a := map[string]string{"sidecar.istio.io/status": "{}"}
	for i := 0; i < len(more); i += 2 {
		a[more[i]] = more[i+1]
	}
	return a
}

// spec is a pod of the API: the agent knows it, the runtime is about to run it.
func (m *mesh) spec(annotations map[string]string, containers ...string) PodSpec {
	m.t.Helper()
	m.made++
	s := PodSpec{Namespace: "shop", Name: fmt.Sprintf("cart-%d", m.made), Annotations: annotations}.withDefaults(uint32(1000 + m.made))
	type entry map[string]any
	var list []entry
	for _, c := range containers {
		list = append(list, entry{"name": c})
	}
	doc, err := json.Marshal(entry{
		"metadata": entry{"namespace": s.Namespace, "name": s.Name, "uid": s.UID, "annotations": annotations},
		"spec":     entry{"containers": list},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.agent.Know(string(doc))
	return s
}

func (m *mesh) meshedSpec(more ...string) PodSpec {
	m.t.Helper()
	return m.spec(injected(more...), "app", "istio-proxy")
}

// workload is a running pod with a proxy and an app.
type workload struct {
	*Pod
	m   *mesh
	app *Running
}

// populate starts the sidecar as the proxy's user and the app as another.
func (m *mesh) populate(p *Pod) *workload {
	m.t.Helper()
	proxy := p.Run(Container{Name: "istio-proxy", Command: []string{"/testsidecar", "sidecar", "-dns", "0"}, UID: 1337, GID: 1337, ReadOnlyRoot: true, NoNewPrivs: true})
	app := p.Run(Container{Name: "app", Command: []string{"/testsidecar", "app", "app", "0.0.0.0:8080", "[::]:8080"}, UID: 1000, GID: 1000})
	proxy.WaitOutput("ready")
	app.WaitOutput("ready")
	return &workload{p, m, app}
}

// landed says who answers: on the way in at the pod's addresses, on the way out
// to the world, IPv4 then IPv6.
func (w *workload) landed() string {
	w.m.t.Helper()
	var who []string
	for _, ip := range w.IPs() {
		r, err := sidecar.Ask(w.m.Node.Net(rig.Root), "tcp", netip.AddrPortFrom(ip, 8080).String())
		if err != nil {
			r.Listener = "nobody"
		}
		who = append(who, r.Listener)
	}
	for _, to := range []string{"198.51.100.1:80", "[2001:db8:2::1]:80"} {
		_, out := w.app.Exec("/testsidecar", "ask", to)
		r, err := sidecar.ParseReport(strings.TrimSpace(out))
		if err != nil {
			r.Listener = "nobody"
		}
		who = append(who, r.Listener)
	}
	return strings.Join(who, " ")
}

func (w *workload) mustLand(want string) {
	w.m.t.Helper()
	if got := w.landed(); got != want {
		w.m.t.Errorf("pod %s: landed at %s, want %s", w.Spec.Name, got, want)
	}
}

const (
	captured = "In In Out Out"
	direct   = "app app world world"
)

// One runtime serves all of these, as one node does; each step says what it
// relies on.
func TestPodsOfARealRuntime(t *testing.T) {
	m := newMesh(t)
	step := func(name string, fn func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			defer m.lend(t)()
			fn(t)
		})
	}
	var shop *workload
	step("a meshed pod is captured both ways in both families", func(*testing.T) {
		shop = m.populate(m.MustRunPod(m.meshedSpec()))
		shop.mustLand(captured)
	})
	step("an unmeshed pod is not, and nobody is asked about it", func(t *testing.T) {
		asked := m.agent.Asked()
		p := m.populate(m.MustRunPod(PodSpec{Namespace: "shop", Name: "plain"}))
		p.mustLand(direct)
		if got := m.agent.Asked(); got != asked {
			t.Errorf("the agent was asked %d times", got-asked)
		}
	})
	step("annotations change what is captured", func(*testing.T) {
		m.populate(m.MustRunPod(m.meshedSpec("traffic.sidecar.istio.io/excludeInboundPorts", "8080"))).mustLand("app app Out Out")
		m.populate(m.MustRunPod(m.meshedSpec("traffic.sidecar.istio.io/includeOutboundIPRanges", ""))).mustLand("In In world world")
	})
	step("a bad annotation stops the sandbox and says why", func(t *testing.T) {
		_, err := m.RunPod(m.meshedSpec("traffic.sidecar.istio.io/includeInboundPorts", "http"))
		for _, want := range []string{"sluice-cni", "101", "annotation traffic.sidecar.istio.io/includeInboundPorts", `"http"`, "accepted"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
	})
	step("without the agent unmeshed pods start and meshed ones wait for it", func(t *testing.T) {
		m.agent.Stop()
		m.MustRunPod(PodSpec{Namespace: "shop", Name: "plain-2"})
		spec := m.meshedSpec()
		if _, err := m.RunPod(spec); err == nil || !strings.Contains(err.Error(), "error 11") {
			t.Errorf("got %v, want error 11", err)
		}
		m.agent.Resume()
		m.populate(m.MustRunPod(spec)).mustLand(captured)
	})
	step("a restart of the runtime keeps pods captured, and new ones are", func(*testing.T) {
		m.Restart()
		shop.mustLand(captured)
		m.populate(m.MustRunPod(m.meshedSpec())).mustLand(captured)
	})
	step("a restarted container finds its pod as it was", func(*testing.T) {
		shop.app.Kill()
		shop.app = shop.Run(Container{Name: "app", Command: []string{"/testsidecar", "app", "app", "0.0.0.0:8080", "[::]:8080"}, UID: 1000, GID: 1000})
		shop.app.WaitOutput("ready")
		shop.mustLand(captured)
	})
	step("a pod made anew under its name is captured again", func(*testing.T) {
		shop.Remove()
		shop = m.populate(m.MustRunPod(m.meshedSpec()))
		shop.mustLand(captured)
	})
	step("what is deleted leaves nothing", func(t *testing.T) {
		m.RemoveAll()
		if links := m.Node.IP("-br", "link"); strings.Contains(links, "veth") {
			t.Errorf("interfaces are left on the node:\n%s", links)
		}
		if rules := m.Node.Save(rig.NFT, rig.IPv4) + m.Node.Save(rig.Legacy, rig.IPv4); strings.Contains(rules, "ISTIO") {
			t.Errorf("rules are left on the node:\n%s", rules)
		}
	})
}

func TestTheInitContainersWayInTheSameRuntime(t *testing.T) {
	m := newMesh(t)
	sluice := program.Build(t, "cmd/sluice")
	m.Image("sluice.test/sluice:1", append(Programs(sluice), Iptables(t)...)...)
	m.Image("sluice.test/bare:1", Programs(sluice)...)
	m.Image("sluice.test/capable:1", File{Path: "/sluice", From: sluice, Caps: netAdmin})
	for _, c := range []struct {
		name      string
		container Container
		backend   string
	}{
		{"iptables-nft with NET_ADMIN alone", Container{Image: "sluice.test/sluice:1", Capabilities: []string{"NET_ADMIN"}, NoNewPrivs: true}, "iptables-nft"},
		{"iptables-legacy with NET_ADMIN and NET_RAW", Container{Image: "sluice.test/sluice:1", Capabilities: []string{"NET_ADMIN", "NET_RAW"}, NoNewPrivs: true}, "iptables-legacy"},
		{"auto with NET_ADMIN alone", Container{Image: "sluice.test/sluice:1", Capabilities: []string{"NET_ADMIN"}, NoNewPrivs: true}, "auto"},
		{"auto in an image without iptables", Container{Image: "sluice.test/bare:1", Capabilities: []string{"NET_ADMIN"}, NoNewPrivs: true}, "auto"},
		{"nftables as another user by file capability", Container{Image: "sluice.test/capable:1", Capabilities: []string{"NET_ADMIN"}, UID: 1337, GID: 1337}, "nftables"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer m.lend(t)()
			p := m.MustRunPod(m.spec(injected(), "app", "istio-proxy", "istio-init"))
			c.container.Name, c.container.ReadOnlyRoot = "istio-init", true
			c.container.Command = []string{
				"/sluice", "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*",
				"-d", "15090,15021,15020", "--backend", c.backend,
			}
			if code, out := p.Run(c.container).Wait(); code != 0 {
				t.Fatalf("istio-init ended with %d:\n%s", code, out)
			}
			m.populate(p).mustLand(captured)
		})
	}
}

// netAdmin is the attribute security.capability with CAP_NET_ADMIN permitted
// and effective: struct vfs_cap_data, revision 2.
const netAdmin = "\x01\x00\x00\x02" + "\x00\x10\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

func TestTheUnprivilegedValidationContainerTellsCapturedPodsFromOthers(t *testing.T) {
	m := newMesh(t)
	m.Image("sluice.test/bare:1", Programs(program.Build(t, "cmd/sluice"))...)
	validation := Container{
		Name: "istio-validation", Image: "sluice.test/bare:1", UID: 1337, GID: 1337, ReadOnlyRoot: true, NoNewPrivs: true,
		Command: []string{
			"/sluice", "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*",
			"-d", "15090,15021,15020", "--run-validation", "--skip-rule-apply",
		},
	}
	for _, c := range []struct {
		name string
		spec PodSpec
		want int32
	}{
		{"a pod that the plugin programmed", m.meshedSpec(), 0},
		{"a pod without rules", PodSpec{}, 126},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer m.lend(t)()
			if code, out := m.MustRunPod(c.spec).Run(validation).Wait(); code != c.want {
				t.Errorf("ended with %d, want %d:\n%s", code, c.want, out)
			}
		})
	}
}
