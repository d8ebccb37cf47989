package containerd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// podman runs containers by its CNI backend, in a namespace and folders of its
// own. It is the runtime without Kubernetes of these tests.
type podman struct {
	*rig.Namespace
	t   *testing.T
	dir string
}

func newPodman(t *testing.T, network string) *podman {
	t.Helper()
	if _, err := exec.LookPath("podman"); err != nil {
		t.Fatal("podman is not installed (apt-get install podman containernetworking-plugins)")
	}
	sweeping.Do(func() { sweep(t) })
	p := &podman{t: t, Namespace: rig.NewNamespace(t, "node"), dir: filepath.Join(parent, fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), created.Add(1)))}
	for _, d := range []string{"net", "bin", "tmp"} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		p.try("rm", "--force", "--all", "--time", "0")
		if err := removeDir(p.dir); err != nil {
			t.Error(err)
		}
	})
	for _, plugin := range []string{"bridge", "host-local", "loopback"} {
		p.link(filepath.Join(DebianPlugins, plugin))
	}
	p.link(program.Build(t, "cmd/sluice-cni"))
	p.write("net/10-pods.conflist", strings.ReplaceAll(network, "DIR", p.dir))
	p.write("storage.conf", strings.ReplaceAll("[storage]\ndriver=\"overlay\"\ngraphroot=\"DIR/root\"\nrunroot=\"DIR/run\"\n", "DIR", p.dir))
	p.write("containers.conf", strings.ReplaceAll(`[engine]
cgroup_manager="cgroupfs"
events_logger="file"
runtime="runc"
[containers]
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
log_driver="k8s-file"
[network]
network_backend="cni"
cni_plugin_dirs=["DIR/bin"]
network_config_dir="DIR/net"
`, "DIR", p.dir))
	return p
}

func (p *podman) link(binary string) {
	p.t.Helper()
	if err := os.Symlink(binary, filepath.Join(p.dir, "bin", filepath.Base(binary))); err != nil {
		p.t.Fatal(err)
	}
}

func (p *podman) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *podman) try(args ...string) rig.Result {
	return p.RunCmd(rig.Cmd{
		Args:    append([]string{"podman", "--tmpdir", p.dir + "/tmp"}, args...),
		Env:     append(os.Environ(), "CONTAINERS_CONF="+p.dir+"/containers.conf", "CONTAINERS_STORAGE_CONF="+p.dir+"/storage.conf"),
		Timeout: time.Minute,
	})
}

func (p *podman) run(args ...string) string {
	p.t.Helper()
	r := p.try(args...)
	if r.Err != nil {
		p.t.Fatalf("podman %s: %v\n%s%s", strings.Join(args, " "), r.Err, r.Stdout, r.Stderr)
	}
	return strings.TrimSpace(r.Stdout)
}

func TestPodmanContainersAreCapturedByStaticSettings(t *testing.T) {
	p := newPodman(t, `{"cniVersion":"0.4.0","name":"pods","plugins":[
		{"type":"bridge","bridge":"br0","isGateway":true,"ipam":{"type":"host-local","dataDir":"DIR/ipam",
		 "ranges":[[{"subnet":"198.18.6.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
		{"type":"sluice-cni","log_file":"DIR/cni.log","interception":{"istio-inbound-ports":"*","istio-service-cidr":"*"}}]}`)
	binary := program.Build(t, "test/sidecar/cmd/testsidecar")
	archive := filepath.Join(p.dir, "image.tar")
	if out, err := exec.Command("tar", "-C", filepath.Dir(binary), "-cf", archive, filepath.Base(binary)).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	p.run("import", archive, "sluice.test/testsidecar:1")
	p.run("run", "--detach", "--name", "app", "--network", "pods", "--user", "1000", "--cgroup-parent", "/"+filepath.Base(p.dir),
		"sluice.test/testsidecar:1", "/testsidecar", "app", "app", "0.0.0.0:8080")
	p.run("exec", "--detach", "--user", "1337", "app", "/testsidecar", "sidecar", "-dns", "0")
	address := p.run("inspect", "app", "--format", "{{.NetworkSettings.Networks.pods.IPAddress}}") + ":8080"
	got, err := p.askUntilThere(address)
	if err != nil || got.Listener != "In" {
		t.Errorf("to the container: got %v, %v, want In", got, err)
	}
	if out := p.run("exec", "app", "/testsidecar", "ask", "198.51.100.1:80"); !strings.Contains(out, "listener=Out") {
		t.Errorf("from the container: got %s, want Out", out)
	}
	p.run("stop", "--time", "0", "app")
	log, err := os.ReadFile(filepath.Join(p.dir, "cni.log"))
	if err != nil || !strings.Contains(string(log), "msg=removed") {
		t.Errorf("DEL removed nothing (%v):\n%s", err, log)
	}
}

// askUntilThere waits for the sidecar, whose start podman does not report.
func (p *podman) askUntilThere(address string) (r sidecar.Report, err error) {
	for range 100 {
		if r, err = sidecar.Ask(p.Net(rig.Root), "tcp", address); err == nil {
			return r, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return r, err
}
