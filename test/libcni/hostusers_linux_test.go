package libcni

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// firstID is what uid and gid 0 of the pod are outside of it.
const firstID = 100000

// userPod is a process in a user namespace with a network namespace that it
// owns: a pod with hostUsers: false. It returns its number.
func userPod(t *testing.T) int {
	t.Helper()
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-U", "-n", "sleep", "120")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid)
	for range 500 {
		if s, err := os.Readlink(proc + "/ns/net"); err == nil && s != host {
			for _, m := range []string{"/uid_map", "/gid_map"} {
				if err := os.WriteFile(proc+m, fmt.Appendf(nil, "0 %d 65536", firstID), 0); err != nil {
					t.Fatal(err)
				}
			}
			return cmd.Process.Pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("unshare made no namespace")
	return 0
}

func TestPodsOfAUserNamespaceAreCapturedByTheirOwnIDs(t *testing.T) {
	for _, backend := range append(backends(), "auto") {
		t.Run(backend, func(t *testing.T) {
			n := newNode(t)
			n.outside()
			binary := program.Build(t, "test/sidecar/cmd/testsidecar")
			pid := userPod(t)
			p := n.kubernetesPod(meshed())
			p.rt.NetNS = fmt.Sprintf("/proc/%d/ns/net", pid)
			n.MustRun("nsenter", "--net="+p.rt.NetNS, "ip", "link", "set", "lo", "up") // as every runtime does
			p.mustAdd(n.list("1.0.0", n.primary("ptp"), n.sluice(fmt.Sprintf(`"backend":%q`, backend))))

			inPod := func(uid int, args ...string) rig.Cmd {
				id := strconv.Itoa(firstID + uid)
				return rig.Cmd{Args: append([]string{"nsenter", "--net=" + p.rt.NetNS, "setpriv", "--reuid", id, "--regid", id, "--clear-groups", binary}, args...)}
			}
			for uid, args := range map[int][]string{1337: {"sidecar", "-dns", "0"}, 1000: {"app", "app", "0.0.0.0:8080", "[::]:8080"}} {
				if s := n.Start(inPod(uid, args...)); !s.WaitOutput("ready", 10*time.Second) {
					t.Fatalf("not ready: %s", s.Output())
				}
			}
			for _, to := range []string{"198.51.100.1:80", "[2001:db8:2::1]:80"} {
				for uid, want := range map[int]string{1000: "Out", 1337: "world"} {
					r := n.RunCmd(inPod(uid, "ask", to))
					got, err := sidecar.ParseReport(strings.TrimSpace(r.Stdout))
					if err != nil || got.Listener != want {
						t.Errorf("pod's uid %d to %s: got %v (%v, %s), want %s", uid, to, got, err, r.Stderr, want)
					}
				}
			}
			for _, ip := range userPodAddresses(t, n, p.rt) {
				got, err := sidecar.Ask(n.Net(rig.Root), "tcp", netip.AddrPortFrom(ip, 8080).String())
				if err != nil || got.Listener != "In" {
					t.Errorf("to %v: got %v, %v, want In", ip, got, err)
				}
			}
			if err := p.check(n.list("1.0.0", n.primary("ptp"), n.sluice(fmt.Sprintf(`"backend":%q`, backend)))); err != nil {
				t.Errorf("CHECK: %v", err)
			}
		})
	}
}

func userPodAddresses(t *testing.T, n *node, rt *libcni.RuntimeConf) []netip.Addr {
	t.Helper()
	var out []netip.Addr
	text := n.MustRun("nsenter", "--net="+rt.NetNS, "ip", "-br", "addr", "show", "dev", rt.IfName, "scope", "global")
	for _, word := range strings.Fields(text) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			out = append(out, prefix.Addr())
		}
	}
	if len(out) != 2 {
		t.Fatalf("pod has addresses %v, want one of each family", out)
	}
	return out
}
