package rig

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/sock"
)

func TestMain(m *testing.M) { Main(m) }

// serve answers each connection with one line: both ends as the server sees
// them.
func serve(t *testing.T, l net.Listener) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s<-%s\n", c.LocalAddr(), c.RemoteAddr())
			c.Close()
		}
	}()
}

func listen(t *testing.T, n *Namespace, as User, at string, o ...sock.Options) {
	t.Helper()
	l, err := n.Listen(as, "tcp", at, o...)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l)
}

func ask(n *Namespace, as User, to string, o ...sock.Options) string {
	c, err := n.Dial(as, "tcp", to, o...)
	if err != nil {
		return "error: " + err.Error()
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(line)
}

func port(a netip.Addr, p uint16) string { return netip.AddrPortFrom(a, p).String() }

func TestPodReachesEveryServiceOfBothFamiliesAtOnce(t *testing.T) {
	r := New(t)
	listen(t, r.World, Root, "0.0.0.0:80")
	listen(t, r.World, Root, "[::]:80")
	for _, to := range []netip.Addr{World4, Service4(1), Service4(3), World6, Service6(1), Service6(3)} {
		got := ask(r.Pod, App, port(to, 80))
		from := Pod4
		if to.Is6() {
			from = Pod6
		}
		want := port(to, 80) + "<-" + port(from, 0)
		if !strings.HasPrefix(got, strings.TrimSuffix(want, "0")) {
			t.Errorf("connection to %v: got %q, want %q with any source port", to, got, want)
		}
	}
}

func TestWorldReachesPodFromEachOfItsAddresses(t *testing.T) {
	r := New(t)
	listen(t, r.Pod, App, "0.0.0.0:8080")
	listen(t, r.Pod, App, "[::]:8080")
	for _, pair := range [][2]netip.Addr{{Service4(2), Pod4}, {Service6(2), Pod6}} {
		from := netip.AddrPortFrom(pair[0], 4242)
		got := ask(r.World, Root, port(pair[1], 8080), sock.Options{From: from})
		want := port(pair[1], 8080) + "<-" + from.String()
		if got != want {
			t.Errorf("from %v: got %q, want %q", from, got, want)
		}
	}
}

func TestConnectionsCarryTheirUsersUIDAndGID(t *testing.T) {
	for _, f := range Flavours() {
		for _, family := range Families() {
			t.Run(fmt.Sprintf("%s-%d", f, family), func(t *testing.T) {
				r := New(t)
				listen(t, r.World, Root, "0.0.0.0:80")
				listen(t, r.World, Root, "[::]:80")
				to := map[Family]netip.Addr{IPv4: Service4(1), IPv6: Service6(1)}[family]
				for _, match := range []string{"--uid-owner=1000", "--gid-owner=1337"} {
					r.Pod.Iptables(f, family, "-A", "OUTPUT", "-p", "tcp", "-m", "owner", match, "-j", "REJECT", "--reject-with", "tcp-reset")
				}
				for user, refused := range map[User]bool{App: true, Proxy: true, RootProxy: true, Root: false, {1001, 1001}: false, {0, 1000}: false} {
					got := ask(r.Pod, user, port(to, 80))
					if strings.Contains(got, "connection refused") != refused {
						t.Errorf("%+v: got %q, want refused = %v", user, got, refused)
					}
				}
			})
		}
	}
}

func TestAcceptedConnectionsBelongToTheListenersUser(t *testing.T) {
	r := New(t)
	listen(t, r.Pod, Proxy, "0.0.0.0:80")
	listen(t, r.Pod, App, "0.0.0.0:81")
	// Only packets of established connections: the SYN-ACK is the listener's.
	r.Pod.Iptables(NFT, IPv4, "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "PSH", "PSH", "-m", "owner", "--uid-owner", "1337", "-j", "REJECT", "--reject-with", "tcp-reset")
	if got := ask(r.World, Root, port(Pod4, 81)); !strings.Contains(got, "<-") {
		t.Errorf("answer of the app: got %q, want a line", got)
	}
	before := r.Pod.Iptables(NFT, IPv4, "-nvxL", "OUTPUT")
	conn, err := r.World.Dial(Root, "tcp", port(Pod4, 80))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
		t.Errorf("the proxy's answer arrived (%q), want it rejected by its owner\nrules before: %s\nafter: %s", line, before, r.Pod.Iptables(NFT, IPv4, "-nvxL", "OUTPUT"))
	}
}

func TestTransparentSocketsUseForeignAddresses(t *testing.T) {
	r := New(t)
	listen(t, r.World, Root, "0.0.0.0:80")
	o := sock.Options{From: netip.AddrPortFrom(Foreign4, 0)}
	if got := ask(r.Pod, Proxy, port(World4, 80), o); !strings.Contains(got, "cannot assign requested address") {
		t.Errorf("plain bind to a foreign address: got %q, want an error", got)
	}
	// With the routing rule of a transparent proxy the answers come back to it.
	r.Pod.IP("rule", "add", "iif", "eth0", "to", Foreign4.String(), "lookup", "133")
	r.Pod.IP("route", "add", "local", "default", "dev", "lo", "table", "133")
	o.Transparent = true
	got, want := ask(r.Pod, Proxy, port(World4, 80), o), port(World4, 80)+"<-203.0.113.7:"
	if !strings.HasPrefix(got, want) {
		t.Errorf("transparent bind: got %q, want prefix %q", got, want)
	}
}

func TestMarkedConnectionsCarryTheirMark(t *testing.T) {
	r := New(t)
	listen(t, r.World, Root, "0.0.0.0:80")
	r.Pod.Iptables(NFT, IPv4, "-A", "OUTPUT", "-m", "mark", "--mark", "1337", "-j", "REJECT")
	if got := ask(r.Pod, App, port(World4, 80), sock.Options{Mark: 1338}); !strings.Contains(got, "<-") {
		t.Errorf("mark 1338: got %q, want an answer", got)
	}
	if got := ask(r.Pod, App, port(World4, 80), sock.Options{Mark: 1337}); !strings.Contains(got, "refused") {
		t.Errorf("mark 1337: got %q, want refused", got)
	}
}

func TestOptionsShapeThePod(t *testing.T) {
	r := New(t, WithInterface("net1"), WithInterface("net2"), WithoutIPv6())
	addresses := r.Pod.IP("-o", "addr")
	for _, want := range []string{"192.0.2.2/24", "net1    inet 198.18.1.2/24", "net2    inet 198.18.2.2/24"} {
		if !strings.Contains(addresses, want) {
			t.Errorf("addresses lack %q:\n%s", want, addresses)
		}
	}
	if strings.Contains(addresses, "inet6") {
		t.Errorf("want no IPv6 address, got:\n%s", addresses)
	}
	if got := New(t, WithoutIPv4()).Pod.IP("-4", "-o", "addr"); strings.Contains(got, "192.0.2.2") {
		t.Errorf("want no IPv4 address but lo's, got:\n%s", got)
	}
}

func TestDoStaysInsideForItsCallOnly(t *testing.T) {
	r := New(t)
	links := func() string {
		out, err := exec.Command("ip", "-o", "addr").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	before := links()
	r.Pod.Do(func() {
		runtime.Gosched()
		if got := links(); !strings.Contains(got, Pod4.String()) {
			t.Errorf("in the pod: got %q, want %v in it", got, Pod4)
		}
		r.World.Do(func() {
			if got := links(); !strings.Contains(got, World4.String()) {
				t.Errorf("nested in the world: got %q, want %v in it", got, World4)
			}
		})
		if got := links(); !strings.Contains(got, Pod4.String()) {
			t.Errorf("after the nested call: got %q, want %v in it", got, Pod4)
		}
	})
	if got := links(); got != before {
		t.Errorf("after leaving: got %q, want %q", got, before)
	}
}

func TestProcessesHaveTheirUserAndCapabilities(t *testing.T) {
	r := New(t)
	netAdmin := fmt.Sprintf("%016x", 1<<unix.CAP_NET_ADMIN)
	none := fmt.Sprintf("%016x", 0)
	for name, tc := range map[string]struct {
		cmd      Cmd
		uid, eff string
	}{
		"app has none":            {Cmd{As: App}, "1000", none},
		"app with ambient":        {Cmd{As: App, Ambient: []uintptr{unix.CAP_NET_ADMIN}}, "1000", netAdmin},
		"root within a bound":     {Cmd{Only: []uintptr{unix.CAP_NET_ADMIN}}, "0", netAdmin},
		"root without capability": {Cmd{Only: []uintptr{}}, "0", none},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cmd.Args = []string{"cat", "/proc/self/status"}
			got := r.Pod.RunCmd(tc.cmd)
			for _, want := range []string{"Uid:\t" + tc.uid + "\t" + tc.uid, "CapEff:\t" + tc.eff, "Groups:\t \n"} {
				if !strings.Contains(got.Stdout, want) {
					t.Errorf("status lacks %q (error %v):\n%s%s", want, got.Err, got.Stdout, got.Stderr)
				}
			}
		})
	}
}

func TestRunReportsExitCodesAndTimeouts(t *testing.T) {
	r := New(t)
	if got := r.Pod.Run(App, "sh", "-c", "echo out; echo err >&2; exit 7"); got.Code != 7 || got.Stdout != "out\n" || got.Stderr != "err\n" || got.MaxRSS <= 0 {
		t.Errorf("got %+v, want code 7, out, err and a memory peak", got)
	}
	got := r.Pod.RunCmd(Cmd{Args: []string{"sh", "-c", "sleep 60 & wait"}, Timeout: 100 * time.Millisecond})
	if got.Err == nil || got.Elapsed > 10*time.Second {
		t.Errorf("got error %v after %v, want a timeout at once", got.Err, got.Elapsed)
	}
}

func TestStartedProcessesEndWithStop(t *testing.T) {
	r := New(t)
	p := r.Pod.Start(Cmd{As: App, Args: []string{"sh", "-c", "echo ready; sleep 60"}})
	if !p.WaitOutput("ready", 5*time.Second) {
		t.Fatalf("no output, got %q", p.Output())
	}
	p.Stop()
	if !dead(p.PID()) {
		t.Errorf("process %d still lives", p.PID())
	}
}

func TestNamespacesAndTheirProcessesAreGoneAfterTheTest(t *testing.T) {
	var r *Rig
	var pid int
	t.Run("inner", func(t *testing.T) {
		r = New(t)
		r.Pod.Do(func() {
			cmd := exec.Command("sleep", "60") // not known to the rig
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pid = cmd.Process.Pid
			go func() { _ = cmd.Wait() }()
		})
	})
	for _, n := range []*Namespace{r.Pod, r.World} {
		if _, err := os.Stat(n.Path()); !os.IsNotExist(err) {
			t.Errorf("%s: got %v, want it gone", n.Path(), err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); !dead(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived its namespace", pid)
		}
	}
}

func TestSweepTakesOnlyWhatDeadTestsLeft(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	left := fmt.Sprintf("%s%d-1-pod", prefix, gone.Process.Pid)
	ip(t, "netns", "add", left)
	other := fmt.Sprintf("%sother-%d", prefix, os.Getpid())
	ip(t, "netns", "add", other)
	defer ip(t, "netns", "del", other)
	mine := NewNamespace(t, "mine")
	if err := Sweep(); err != nil {
		t.Fatal(err)
	}
	names := ip(t, "netns", "list")
	for name, want := range map[string]bool{left: false, other: true, mine.Name: true} {
		if got := strings.Contains(names, name); got != want {
			t.Errorf("%s there after the sweep: got %v, want %v", name, got, want)
		}
	}
}
