package soak

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
	"github.com/sluicemesh/sluice/cni/node/install"
	"github.com/sluicemesh/sluice/test/podagent"
	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

var (
	pods     = flag.Int("pods", 120, "pods that come and go")
	rewrites = flag.Int("rewrites", 60, "times that the primary CNI rewrites its configuration")
	restarts = flag.Int("restarts", 6, "times that the agent restarts meanwhile")
	record   = flag.String("record", "", "append what was measured to this `file`, a JSON object a line")
)

func TestMain(m *testing.M) { rig.Main(m) }

// use is what a process and its machine hold.
type use struct {
	Goroutines, Descriptors, HeapKiB, Namespaces int
}

func measure(t *testing.T) use {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return use{runtime.NumGoroutine(), len(names), int(m.HeapAlloc >> 10), namespaces(t)}
}

// namespaces counts this process's own.
func namespaces(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/run/netns/slt-%d-*", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// mostMemory is what the plugin may take, in KiB.
const mostMemory = 16 << 10

// mustBeFlat allows the few that a pool or a garbage collection explains.
func mustBeFlat(t *testing.T, before, after use) {
	t.Helper()
	if after.Goroutines > before.Goroutines+5 || after.Descriptors > before.Descriptors+5 ||
		after.Namespaces > before.Namespaces || after.HeapKiB > before.HeapKiB+512 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func note(t *testing.T, what string, times int, before, after use, more string) {
	t.Helper()
	t.Logf("%s: %d times, before %+v, after %+v%s", what, times, before, after, more)
	if *record == "" || t.Failed() {
		return
	}
	line, err := json.Marshal(map[string]any{"What": what, "Where": t.Name(), "Times": times, "Before": before, "After": after, "More": more})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(*record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// call is one call of the plugin.
type call struct {
	plugin, peak        string // programs; peak runs another and measures it
	socket, netns, verb string
	n                   int
}

// run returns the plugin's peak memory in KiB.
func (c call) run() (peak int64, err error) {
	cmd := exec.Command(c.peak, c.plugin)
	cmd.Env = []string{
		"CNI_COMMAND=" + c.verb, "CNI_CONTAINERID=" + fmt.Sprint("soak", c.n), "CNI_NETNS=" + c.netns, "CNI_IFNAME=eth0", "CNI_PATH=/usr/lib/cni",
		"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=uid",
	}
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","type":"sluice-cni","agent_socket":%q,"backend":%q,
		"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"sidecar.istio.io/status":"{}"}},
		"prevResult":{"cniVersion":"1.0.0","interfaces":[],"ips":[]}}`, c.socket, []string{"nftables", "nftables", "nftables", "iptables-nft", "iptables-legacy"}[c.n%5]))
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s %d: %w: %s%s", c.verb, c.n, err, &out, &said)
	}
	words := strings.Fields(said.String())
	return strconv.ParseInt(words[len(words)-1], 10, 64)
}

func TestPodsComeAndGoAndNothingGrows(t *testing.T) {
	dir := t.TempDir()
	plugin, peak := program.Build(t, "cmd/sluice-cni"), program.Build(t, "test/peak")
	agent := podagent.Start(t, dir)
	agent.Know(`{"metadata":{"namespace":"shop","name":"cart","uid":"uid","annotations":{"sidecar.istio.io/status":"{}"}},
		"spec":{"containers":[{"name":"app"},{"name":"istio-proxy"}]}}`)
	one := func(n int) int64 {
		ns := fmt.Sprintf("slt-%d-s%d", os.Getpid(), n)
		ip(t, "netns", "add", ns)
		defer ip(t, "netns", "del", ns)
		c := call{plugin: plugin, peak: peak, socket: agent.Socket, netns: "/run/netns/" + ns, n: n}
		var most int64
		for _, c.verb = range []string{"ADD", "ADD", "DEL", "DEL"} {
			peak, err := c.run()
			for tries := 0; err != nil && tries < 50 && strings.Contains(err.Error(), "error 11:"); tries++ { // the agent restarts
				time.Sleep(20 * time.Millisecond)
				peak, err = c.run()
			}
			if err != nil {
				t.Error(err)
			}
			most = max(most, peak)
		}
		return most
	}
	one(0)
	before := measure(t)
	var mu sync.Mutex
	var peaks []int64
	var workers sync.WaitGroup
	numbers := make(chan int)
	for range 4 {
		workers.Go(func() {
			for n := range numbers {
				peak := one(n)
				mu.Lock()
				peaks = append(peaks, peak)
				mu.Unlock()
			}
		})
	}
	for n := range *pods {
		if n%(*pods / *restarts) == 0 {
			agent.Stop()
			agent.Resume()
		}
		numbers <- n + 1
	}
	close(numbers)
	workers.Wait()
	agent.Forget()
	after := measure(t)
	mustBeFlat(t, before, after)
	first, last := worst(peaks[:len(peaks)/4]), worst(peaks[len(peaks)*3/4:])
	if max(first, last) > mostMemory {
		t.Errorf("the plugin's peak memory was %d and %d KiB, want at most %d", first, last, mostMemory)
	}
	if left, _ := os.ReadDir("/run/sluice-cni"); len(left) > 0 {
		for _, e := range left {
			if strings.HasPrefix(e.Name(), "soak") {
				t.Errorf("DEL left %s behind", e.Name())
			}
		}
	}
	note(t, "pods added and deleted, twice each", *pods, before, after,
		fmt.Sprintf("; %d agent restarts; the plugin's peak memory %d KiB in the first quarter, %d KiB in the last", *restarts, first, last))
}

func worst(list []int64) int64 {
	var most int64
	for _, n := range list {
		most = max(most, n)
	}
	return most
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %v: %v: %s", args, err, out)
	}
}

func TestThePrimaryRewritesItsConfigurationAndNothingGrows(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"/etc/cni/net.d", "/opt/cni/bin"} {
		must(t, os.MkdirAll(root+d, 0o755))
	}
	must(t, os.WriteFile(root+"/program", bytes.Repeat([]byte("program"), 1000), 0o755))
	entry, err := conflist.NewEntry([]byte(`{"type":"sluice-cni"}`))
	must(t, err)
	i := install.Installer{
		Host: hostfs.FS{Root: root, Mounts: []string{"/etc/cni/net.d", "/opt/cni/bin"}}, ConfDir: "/etc/cni/net.d", BinDir: "/opt/cni/bin",
		Program: root + "/program", Want: install.Want{Entry: entry},
	}
	path := root + "/etc/cni/net.d/10-calico.conflist"
	rewrite := func(n int) {
		text := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"k8s","n":%d,"plugins":[{"type":"calico"},{"type":"portmap"}]}`, n)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		res, err := i.Once()
		if err != nil || res.Plan.State != install.Ready {
			t.Fatalf("rewrite %d: %v %v", n, res.Plan.State, err)
		}
		got, err := os.ReadFile(path)
		must(t, err)
		if strings.Count(string(got), `"sluice-cni"`) != 1 || !strings.Contains(string(got), fmt.Sprintf(`"n":%d`, n)) {
			t.Fatalf("rewrite %d became %s", n, got)
		}
	}
	rewrite(0)
	before, files := measure(t), count(t, root)
	for n := range *rewrites {
		rewrite(n + 1)
	}
	after := measure(t)
	mustBeFlat(t, before, after)
	if now := count(t, root); now != files {
		t.Errorf("%d files became %d", files, now)
	}
	note(t, "configurations rewritten and chained again", *rewrites, before, after, "")
}

func count(t *testing.T, root string) int {
	t.Helper()
	n := 0
	must(t, filepath.WalkDir(root, func(string, os.DirEntry, error) error { n++; return nil }))
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
