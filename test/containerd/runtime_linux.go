package containerd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

// DebianPlugins is where Debian's containernetworking-plugins are.
const DebianPlugins = "/usr/lib/cni"

// Runtime is one running containerd.
type Runtime struct {
	// Node is the namespace that the runtime and the plugins run in.
	Node *rig.Namespace
	// Dir is the folder of everything.
	Dir string

	t       testing.TB
	process *rig.Process
	conn    *grpc.ClientConn
	cri     cri.RuntimeServiceClient
	made    atomic.Uint32 // pods, for their names
}

var (
	created  atomic.Uint32
	sweeping sync.Once
)

// Start starts a runtime that lives as long as the test. Plugins and a
// configuration come later ([Runtime.Plugin], [Runtime.Conflist]).
func Start(t testing.TB) *Runtime {
	t.Helper()
	sweeping.Do(func() { sweep(t) })
	name := fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), created.Add(1))
	r := &Runtime{t: t, Node: rig.NewNamespace(t, "node"), Dir: filepath.Join(parent, name)}
	for _, dir := range []string{"cni/net.d", "cni/bin", "logs", "images", "ipam"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(r.remove)
	r.Node.Sysctl("net/ipv4/ip_forward", "1")
	r.Node.Sysctl("net/ipv6/conf/all/forwarding", "1")
	for _, p := range []string{"loopback", "ptp", "bridge", "host-local"} {
		r.Plugin(p, filepath.Join(DebianPlugins, p))
	}
	r.write("config.toml", r.config())
	r.launch()
	r.Image(pauseImage, Programs(program.Build(t, "test/containerd/pause"))...)
	r.Image(SidecarImage, Programs(program.Build(t, "test/sidecar/cmd/testsidecar"))...)
	return r
}

// Plugin puts a plugin's binary under a name into the folder that the runtime
// looks into.
func (r *Runtime) Plugin(name, binary string) {
	r.t.Helper()
	into := filepath.Join(r.Dir, "cni/bin", name)
	if err := os.Symlink(binary, into); err != nil {
		r.t.Fatal(err)
	}
}

// ConfDir is where the runtime looks for network configurations.
func (r *Runtime) ConfDir() string { return filepath.Join(r.Dir, "cni/net.d") }

// Conflist writes a network configuration, as a temporary file and a rename in
// the same folder: containerd does not notice a file that comes any other way
// at once. It waits until the runtime says that its network is ready.
func (r *Runtime) Conflist(name, text string) {
	r.t.Helper()
	temporary := filepath.Join(r.ConfDir(), ".new")
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(r.ConfDir(), name)); err != nil {
		r.t.Fatal(err)
	}
	r.await("the network to be ready", func() error { return r.condition(cri.NetworkReady) })
}

// Restart kills containerd, as a crash would, and starts it again. Pods go on.
func (r *Runtime) Restart() {
	r.t.Helper()
	r.process.Stop()
	r.launch()
	r.await("the network to be ready", func() error { return r.condition(cri.NetworkReady) })
}

// Log is what containerd has written since its start.
func (r *Runtime) Log() string { return r.process.Output() }

func (r *Runtime) launch() {
	r.t.Helper()
	binary, err := exec.LookPath("containerd")
	if err != nil {
		r.t.Fatal("containerd is not installed (apt-get install containerd runc containernetworking-plugins)")
	}
	r.process = r.Node.Start(rig.Cmd{
		Args: []string{binary, "--config", filepath.Join(r.Dir, "config.toml")},
		// NOTIFY_SOCKET would have containerd talk to the test machine's init.
		Env: append(os.Environ(), "NOTIFY_SOCKET="),
	})
	r.dial()
	r.await("the runtime to be ready", func() error { return r.condition(cri.RuntimeReady) })
}

func (r *Runtime) dial() {
	if r.conn != nil {
		r.conn.Close()
	}
	conn, err := grpc.NewClient("unix://"+r.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.conn, r.cri = conn, cri.NewRuntimeServiceClient(conn)
}

func (r *Runtime) socket() string { return filepath.Join(r.Dir, "c.sock") }

// condition is nil once the runtime reports the condition as met.
func (r *Runtime) condition(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := r.cri.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return err
	}
	for _, c := range s.Status.Conditions {
		if c.Type == name && c.Status {
			return nil
		}
	}
	return fmt.Errorf("%s is not met: %v", name, s.Status.Conditions)
}

// await polls something that the runtime does in its own time.
func (r *Runtime) await(what string, done func() error) {
	r.t.Helper()
	const patience = 30 * time.Second
	deadline := time.Now().Add(patience)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("waited %v for %s: %v\n%s", patience, what, err, r.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *Runtime) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// config is containerd's. An unprivileged machine may not lower oom_score_adj,
// and runc then dies without saying why; hence restrict_oom_score_adj.
func (r *Runtime) config() string {
	return fmt.Sprintf(`version = 2
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = %[3]q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[4]q
  restrict_oom_score_adj = true
  disable_tcp_service = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %[5]q
    conf_dir = %[6]q
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    pod_annotations = ["*"]
`, r.Dir+"/root", r.Dir+"/state", r.socket(), pauseImage, r.Dir+"/cni/bin", r.ConfDir())
}

// remove ends every pod in order, then the runtime, then deletes the folder.
func (r *Runtime) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if pods, err := r.cri.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{}); err == nil {
		for _, p := range pods.Items {
			r.cri.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.Id})
			r.cri.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.Id})
		}
	}
	r.conn.Close()
	r.process.Signal(syscall.SIGTERM)
	select {
	case <-r.process.Ended():
	case <-time.After(10 * time.Second):
	}
	r.process.Stop()
	if r.t.Failed() {
		r.t.Logf("containerd said:\n%s", tail(r.Log(), 8<<10))
	}
	if err := removeDir(r.Dir); err != nil {
		r.t.Errorf("remove %s: %v", r.Dir, err)
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
