package libcni

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

// holdHostLock takes the lock that iptables programs of the host share, until
// the test ends: whoever waits for it waits for ever.
func holdHostLock(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/run/xtables.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

func TestThreeHundredPodsStartWhileTheHostsIptablesLockIsHeld(t *testing.T) {
	const pods, parallel = 300, 16
	n := newNode(t)
	all := make([]*pod, pods)
	for i := range all {
		all[i] = n.kubernetesPod(meshed())
	}
	holdHostLock(t)
	for i, backend := range backends() {
		list := n.list("1.0.0", n.sluice(fmt.Sprintf(`"backend":%q`, backend)))
		share := all[i*pods/len(backends()) : (i+1)*pods/len(backends())]
		next := make(chan *pod)
		var workers sync.WaitGroup
		for range parallel {
			workers.Go(func() {
				for p := range next {
					if _, err := p.add(list); err != nil {
						t.Errorf("%s: %v", backend, err)
					}
				}
			})
		}
		for _, p := range share {
			next <- p
		}
		close(next)
		workers.Wait()
		for _, p := range share {
			if err := p.check(list); err != nil {
				t.Errorf("%s: CHECK: %v", backend, err)
			}
		}
	}
}

func TestAPodWithTenThousandExcludedRangesStarts(t *testing.T) {
	const ranges = 10_000
	list := make([]string, ranges)
	for i := range list {
		list[i] = fmt.Sprintf("198.%d.%d.%d/32", 18+i>>16, i>>8&255, i&255)
	}
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			n := newNode(t)
			p := n.kubernetesPod(meshed("traffic.sidecar.istio.io/excludeOutboundIPRanges", strings.Join(list, ",")))
			conflist := n.list("1.0.0", n.sluice(fmt.Sprintf(`"backend":%q`, backend)))
			begin := time.Now()
			p.mustAdd(conflist)
			t.Logf("ADD took %v", time.Since(begin))
			if err := p.check(conflist); err != nil {
				t.Errorf("CHECK: %v", err)
			}
		})
	}
}

// The ceilings of spec and documentation: a plugin that outgrows them makes
// every pod of every node wait.
func TestThePluginStaysSmall(t *testing.T) {
	const maxBinary, maxMemory = 8 << 20, 16 << 10 // bytes; KiB
	n := newNode(t)
	info, err := os.Stat(program.Build(t, "cmd/sluice-cni"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBinary {
		t.Errorf("the binary has %d bytes, more than %d", info.Size(), maxBinary)
	}
	peak := program.Build(t, "test/peak")
	for _, backend := range backends() {
		p := n.kubernetesPod(meshed())
		r := n.RunCmd(rig.Cmd{
			Args:  []string{peak, n.bin + "/sluice-cni"},
			Stdin: fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","type":"sluice-cni","agent_socket":%q,"backend":%q}`, n.agent.Socket, backend),
			Env: []string{
				"CNI_COMMAND=ADD", "CNI_CONTAINERID=" + p.rt.ContainerID, "CNI_NETNS=" + p.rt.NetNS, "CNI_IFNAME=eth0",
				fmt.Sprintf("CNI_ARGS=K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s", p.rt.Args[1][1], p.rt.Args[2][1], p.rt.Args[3][1]),
			},
		})
		if r.Err != nil {
			t.Fatalf("%s: %v\n%s", backend, r.Err, r.Stdout)
		}
		lines := strings.Fields(r.Stderr)
		used, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil || used > maxMemory {
			t.Errorf("%s: peak memory %d KiB (%v), more than %d", backend, used, err, maxMemory)
		}
		t.Logf("%s: peak memory %d KiB, %v with its parent", backend, used, r.Elapsed)
	}
}
