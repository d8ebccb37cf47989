package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// StartControl starts what the control plane is made of.
func (c *Cluster) StartControl() {
	c.t.Helper()
	c.start("etcd", "etcd", "--data-dir="+c.dir+"/etcd", "--listen-peer-urls=http://127.0.0.1:2380",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379", "--unsafe-no-fsync", "--log-level=warn")
	c.StartAPIServer()
	c.start("controllers", "kube-controller-manager", "--kubeconfig="+c.dir+"/admin.kubeconfig", "--leader-elect=false",
		"--service-account-private-key-file="+c.dir+"/pki/sa.key", "--root-ca-file="+c.dir+"/pki/apiserver.crt",
		"--bind-address=127.0.0.1", "--cert-dir="+c.dir+"/pki/controllers", "--use-service-account-credentials=false")
	c.start("scheduler", "kube-scheduler", "--kubeconfig="+c.dir+"/admin.kubeconfig", "--leader-elect=false",
		"--bind-address=127.0.0.1", "--cert-dir="+c.dir+"/pki/scheduler")
}

// StartAPIServer starts the API server alone, as after Stop("apiserver").
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	c.start("apiserver", "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--secure-port=443",
		"--advertise-address="+nodeIP, "--service-cluster-ip-range="+services, "--cert-dir="+c.dir+"/pki",
		"--token-auth-file="+c.dir+"/tokens.csv", "--authorization-mode=Node,RBAC", "--endpoint-reconciler-type=none",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file="+c.dir+"/pki/sa.key",
		"--service-account-key-file="+c.dir+"/pki/sa.key", "--kubelet-preferred-address-types=InternalIP",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged=true")
}

// StartKubelet starts the kubelet alone, as after Stop("kubelet").
func (c *Cluster) StartKubelet(more ...string) {
	c.t.Helper()
	args := []string{"--config=" + c.dir + "/kubelet.yaml", "--kubeconfig=" + c.dir + "/node.kubeconfig", "--hostname-override=" + NodeName,
		"--node-ip=" + nodeIP, "--root-dir=" + c.dir + "/kubelet", "--cert-dir=" + c.dir + "/pki/kubelet"}
	c.start("kubelet", "kubelet", append(args, more...)...)
}

func (c *Cluster) start(name, program string, args ...string) {
	c.t.Helper()
	c.processes[name] = c.Node.Start(rig.Cmd{
		Args: append([]string{filepath.Join(c.bin, program)}, args...),
		Env:  append(os.Environ(), "NOTIFY_SOCKET="),
	})
}

// kubeletConfig: an unprivileged machine may not lower oom_score_adj; nothing
// may be evicted because the machine's disk is full; the machine's resolv.conf
// is not the pods'.
func (c *Cluster) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
containerRuntimeEndpoint: unix://%[1]s/c.sock
cgroupDriver: cgroupfs
cgroupRoot: /%[2]s
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
localStorageCapacityIsolation: false
resolvConf: %[1]s/cluster/resolv.conf
podLogsDir: %[1]s/cluster/pods
evictionHard: {memory.available: "0%%", nodefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.available: "0%%", imagefs.inodesFree: "0%%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
fileCheckFrequency: 1s
syncFrequency: 10s
nodeStatusUpdateFrequency: 1s
shutdownGracePeriod: 0s
maxPods: 250
`, c.Dir, filepath.Base(c.Dir))
}

// cgroups makes the kubelet's root, named like the runtime's folder so that a
// killed test is swept by it.
func (c *Cluster) cgroups() {
	c.t.Helper()
	tops, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	c.must(err)
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		tops = []string{"/sys/fs/cgroup/cgroup.procs"}
	}
	for _, top := range tops {
		parent := filepath.Dir(top)
		dir := filepath.Join(parent, filepath.Base(c.Dir))
		c.must(os.MkdirAll(dir, 0o755))
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} { // a v1 group starts without any
			if raw, err := os.ReadFile(filepath.Join(parent, f)); err == nil {
				_ = os.WriteFile(filepath.Join(dir, f), raw, 0o644) // v2 inherits them
			}
		}
	}
}

// sysctls are what the kubelet changes on the whole machine.
var sysctls = []string{"kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "vm/panic_on_oom"}

// keepSysctls puts them back when the test ends.
func keepSysctls(t testing.TB) {
	t.Helper()
	for _, name := range sysctls {
		path := filepath.Join("/proc/sys", name)
		before, err := os.ReadFile(path)
		if err != nil {
			continue // not in this kernel
		}
		t.Cleanup(func() {
			now, err := os.ReadFile(path)
			if err == nil && strings.TrimSpace(string(now)) != strings.TrimSpace(string(before)) {
				err = os.WriteFile(path, before, 0o644)
			}
			if err != nil {
				t.Errorf("put %s back: %v", name, err)
			}
		})
	}
}
