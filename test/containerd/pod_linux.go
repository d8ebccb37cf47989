package containerd

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// callTimeout bounds one call of the CRI; a sandbox takes most of a second.
const callTimeout = time.Minute

// PodSpec is what the kubelet would state of a pod. The zero value is a pod of
// the namespace "default" with a name of its own.
type PodSpec struct {
	Namespace, Name, UID string
	Annotations, Labels  map[string]string
}

// Pod is a sandbox.
type Pod struct {
	ID   string
	Spec PodSpec

	r      *Runtime
	config *cri.PodSandboxConfig
	count  int
}

// RunPod makes a sandbox: the network plugins run now.
func (r *Runtime) RunPod(s PodSpec) (*Pod, error) {
	n := r.made.Add(1)
	s = s.withDefaults(n)
	p := &Pod{r: r, Spec: s, config: &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: s.Name, Namespace: s.Namespace, Uid: s.UID, Attempt: n},
		Hostname:     s.Name,
		LogDirectory: filepath.Join(r.Dir, "logs", s.Namespace+"_"+s.Name+"_"+s.UID),
		Annotations:  ofKubelet(s.Annotations),
		Labels:       s.Labels,
		Linux:        &cri.LinuxPodSandboxConfig{CgroupParent: "/" + filepath.Base(r.Dir)},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	res, err := r.cri.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: p.config})
	if err != nil {
		return nil, err
	}
	p.ID = res.PodSandboxId
	return p, nil
}

// ofKubelet are a pod's annotations as kubelet hands them to its runtime.
func ofKubelet(annotations map[string]string) map[string]string {
	out := map[string]string{"kubernetes.io/config.source": "api"}
	maps.Copy(out, annotations)
	return out
}

func (s PodSpec) withDefaults(n uint32) PodSpec {
	if s.Namespace == "" {
		s.Namespace = "default"
	}
	if s.Name == "" {
		s.Name = fmt.Sprintf("pod-%d", n)
	}
	if s.UID == "" {
		s.UID = fmt.Sprintf("00000000-0000-0000-0000-%012d", n)
	}
	return s
}

// MustRunPod is RunPod for a pod that has to start.
func (r *Runtime) MustRunPod(s PodSpec) *Pod {
	r.t.Helper()
	p, err := r.RunPod(s)
	if err != nil {
		r.t.Fatalf("run pod %s: %v", s.Name, err)
	}
	return p
}

// IPs are the addresses that the plugins reported.
func (p *Pod) IPs() []netip.Addr {
	p.r.t.Helper()
	n := p.status().Network
	var out []netip.Addr
	for _, text := range append([]*cri.PodIP{{Ip: n.Ip}}, n.AdditionalIps...) {
		ip, err := netip.ParseAddr(text.Ip)
		if err != nil {
			p.r.t.Fatalf("address %q of pod %s: %v", text.Ip, p.Spec.Name, err)
		}
		out = append(out, ip)
	}
	return out
}

// Netns is the path of the pod's network namespace.
func (p *Pod) Netns() string {
	p.r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	res, err := p.r.cri.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: p.ID, Verbose: true})
	if err != nil {
		p.r.t.Fatalf("status of pod %s: %v", p.Spec.Name, err)
	}
	const key = `"type":"network","path":"`
	_, rest, found := strings.Cut(strings.ReplaceAll(res.Info["info"], " ", ""), key)
	path, _, _ := strings.Cut(rest, `"`)
	if !found || path == "" {
		p.r.t.Fatalf("no namespace in the status of pod %s", p.Spec.Name)
	}
	return path
}

func (p *Pod) status() *cri.PodSandboxStatus {
	p.r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	res, err := p.r.cri.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: p.ID})
	if err != nil {
		p.r.t.Fatalf("status of pod %s: %v", p.Spec.Name, err)
	}
	return res.Status
}

// Remove stops and deletes the pod: the network plugins' DEL runs.
func (p *Pod) Remove() {
	p.r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if _, err := p.r.cri.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.ID}); err != nil {
		p.r.t.Fatalf("stop pod %s: %v", p.Spec.Name, err)
	}
	if _, err := p.r.cri.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.ID}); err != nil {
		p.r.t.Fatalf("remove pod %s: %v", p.Spec.Name, err)
	}
}

// RemoveAll removes every pod there is, also those whose start failed half-way.
func (r *Runtime) RemoveAll() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*callTimeout)
	defer cancel()
	pods, err := r.cri.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		r.t.Fatalf("list pods: %v", err)
	}
	for _, p := range pods.Items {
		_, err := r.cri.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.Id})
		if err == nil {
			_, err = r.cri.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.Id})
		}
		if err != nil {
			r.t.Errorf("remove pod %s: %v", p.Metadata.Name, err)
		}
	}
}

// Container is what to run in a pod.
type Container struct {
	Name    string
	Image   string   // default SidecarImage
	Command []string // program and arguments; empty: the image's own
	Args    []string // after the image's own program, if Command is empty
	Env     []string // NAME=VALUE
	UID     int64
	GID     int64
	// Capabilities are added, without "CAP_"; everything else is dropped.
	Capabilities []string
	// Ambient are capabilities that a process keeps though its uid is not 0.
	// containerd 1.6 ignores them; newer ones do not.
	Ambient      []string
	ReadOnlyRoot bool
	NoNewPrivs   bool
	// Mounts are folders of the host, by where the container sees them.
	Mounts map[string]string
}

// Running is a started container.
type Running struct {
	ID  string
	pod *Pod
	log string
}

// Run creates and starts a container.
func (p *Pod) Run(c Container) *Running {
	p.r.t.Helper()
	p.count++
	config := c.config(p.count)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	made, err := p.r.cri.CreateContainer(ctx, &cri.CreateContainerRequest{PodSandboxId: p.ID, Config: config, SandboxConfig: p.config})
	if err != nil {
		p.r.t.Fatalf("create container %s: %v", c.Name, err)
	}
	if _, err := p.r.cri.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: made.ContainerId}); err != nil {
		p.r.t.Fatalf("start container %s: %v", c.Name, err)
	}
	return &Running{ID: made.ContainerId, pod: p, log: filepath.Join(p.config.LogDirectory, config.LogPath)}
}

func (c Container) config(attempt int) *cri.ContainerConfig {
	if c.Image == "" {
		c.Image = SidecarImage
	}
	out := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: c.Name, Attempt: uint32(attempt)},
		Image:    &cri.ImageSpec{Image: c.Image},
		Command:  c.Command,
		Args:     c.Args,
		LogPath:  fmt.Sprintf("%s-%d.log", c.Name, attempt),
		Linux: &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{
			Capabilities: &cri.Capability{
				DropCapabilities: []string{"ALL"}, AddCapabilities: c.Capabilities, AddAmbientCapabilities: c.Ambient,
			},
			RunAsUser:      &cri.Int64Value{Value: c.UID},
			RunAsGroup:     &cri.Int64Value{Value: c.GID},
			ReadonlyRootfs: c.ReadOnlyRoot,
			NoNewPrivs:     c.NoNewPrivs,
		}},
	}
	for inside, host := range c.Mounts {
		out.Mounts = append(out.Mounts, &cri.Mount{ContainerPath: inside, HostPath: host})
	}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		out.Envs = append(out.Envs, &cri.KeyValue{Key: name, Value: value})
	}
	return out
}

// Wait waits for the container's end and returns its exit code and output.
func (c *Running) Wait() (code int32, output string) {
	c.pod.r.t.Helper()
	var status *cri.ContainerStatus
	c.pod.r.await("container to end", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		res, err := c.pod.r.cri.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: c.ID})
		if err != nil {
			return err
		}
		status = res.Status
		if status.State != cri.ContainerState_CONTAINER_EXITED {
			return fmt.Errorf("state is %v; output:\n%s", status.State, c.Output())
		}
		return nil
	})
	return status.ExitCode, c.Output()
}

// Kill ends the container at once.
func (c *Running) Kill() {
	c.pod.r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if _, err := c.pod.r.cri.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: c.ID, Timeout: 0}); err != nil {
		c.pod.r.t.Fatalf("stop container: %v", err)
	}
}

// WaitOutput waits until the container has written a text.
func (c *Running) WaitOutput(text string) {
	c.pod.r.t.Helper()
	c.pod.r.await("container to write "+text, func() error {
		if out := c.Output(); !strings.Contains(out, text) {
			return fmt.Errorf("it wrote:\n%s", out)
		}
		return nil
	})
}

// Output is what the container has written, to either stream.
func (c *Running) Output() string {
	raw, err := os.ReadFile(c.log)
	if err != nil {
		return ""
	}
	var out strings.Builder
	for line := range strings.Lines(string(raw)) {
		// time, stream, F or P for the whole or a part of a line, text
		f := strings.SplitN(line, " ", 4)
		if len(f) < 4 {
			continue
		}
		if f[2] == "P" {
			f[3] = strings.TrimSuffix(f[3], "\n")
		}
		out.WriteString(f[3])
	}
	return out.String()
}

// Exec runs a command in the container, as the container's own user, and
// returns its exit code and output.
func (c *Running) Exec(command ...string) (code int32, output string) {
	c.pod.r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	res, err := c.pod.r.cri.ExecSync(ctx, &cri.ExecSyncRequest{ContainerId: c.ID, Cmd: command, Timeout: 30})
	if err != nil {
		c.pod.r.t.Fatalf("exec %v: %v", command, err)
	}
	return res.ExitCode, string(res.Stdout) + string(res.Stderr)
}
