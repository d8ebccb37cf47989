// Package cli runs the sluice binary as init containers, nodes and people do.
package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

func TestMain(m *testing.M) { rig.Main(m) }

// classic is the command line of the mesh's injector.
func classic(more ...string) []string {
	return append([]string{"istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT",
		"-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info"}, more...)
}

// sluice is the binary and where its programs are looked for.
type sluice struct {
	t     *testing.T
	path  string
	tools *rig.Tools // nil: the host's
}

func build(t *testing.T) sluice { return sluice{t: t, path: program.Build(t, "cmd/sluice")} }

func (s sluice) cmd(args ...string) rig.Cmd {
	c := rig.Cmd{Args: append([]string{s.path}, args...), Env: []string{"PATH=" + os.Getenv("PATH")}}
	if s.tools != nil {
		c.Env = s.tools.Env("SLUICE_PROGRAM_PATH=" + s.tools.Dir)
	}
	return c
}

// in runs the binary in a namespace and expects an exit code.
func (s sluice) in(n *rig.Namespace, code int, args ...string) rig.Result {
	s.t.Helper()
	return s.run(n, code, s.cmd(args...))
}

func (s sluice) run(n *rig.Namespace, code int, c rig.Cmd) rig.Result {
	s.t.Helper()
	r := n.RunCmd(c)
	if r.Code != code {
		s.t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(c.Args[1:], " "), r.Code, code, r.Stdout, r.Stderr)
	}
	return r
}

func says(t *testing.T, r rig.Result, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(r.Stdout+r.Stderr, w) {
			t.Errorf("nothing is said of %q:\n%s%s", w, r.Stdout, r.Stderr)
		}
	}
}

func same(t *testing.T, before, after rig.State) {
	t.Helper()
	if diff := before.Diff(after); diff != "" {
		t.Errorf("the namespace is not as before:\n%s", diff)
	}
}

func TestTheClassicCommandLineCapturesRealConnections(t *testing.T) {
	s, r := build(t), rig.New(t)
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
	s.in(r.Pod, 0, classic()...)
	for _, to := range []string{rig.Service4(1).String() + ":443", "[" + rig.Service6(1).String() + "]:443"} {
		if got, err := r.Pod.Ask(rig.App, "tcp", to); err != nil || got.Listener != sidecar.Out || got.Original.String() != to {
			t.Errorf("%s landed on %s for %s (%v), want Out", to, got.Listener, got.Original, err)
		}
	}
}

func TestEveryNameOfTheEcosystemIsThisProgram(t *testing.T) {
	s := build(t)
	for _, name := range []string{"pilot-agent", "istio-iptables"} {
		link := filepath.Join(filepath.Dir(s.path), name)
		if err := os.Symlink(s.path, link); err != nil {
			t.Fatal(err)
		}
		args := classic()
		if name == "istio-iptables" {
			args = args[1:]
		}
		for _, word := range []string{"--reconcile", "init"} {
			pod := rig.NewNamespace(t, "pod")
			c := s.cmd(append(args, word)...)
			c.Args[0] = link
			s.run(pod, 0, c)
			s.in(pod, 0, append([]string{"check"}, classic()[1:]...)...)
		}
	}
}

func TestThreeRunsAreOneAndCheckAgrees(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	says(t, s.in(pod, 0, classic()...), "applied and verified for IPv4 and IPv6")
	once := pod.State()
	says(t, s.in(pod, 0, classic()...), "nothing to do")
	s.in(pod, 0, classic()...)
	same(t, once, pod.State())
	check := append([]string{"check"}, classic()[1:]...)
	s.in(pod, 0, check...)
	pod.Iptables(rig.NFT, rig.IPv6, "-t", "nat", "-D", "ISTIO_INBOUND", "2")
	says(t, s.in(pod, 2, check...), "IPv6 nat ISTIO_INBOUND rule 2: missing -p tcp -m tcp --dport 15090 -j RETURN")
	s.in(pod, 0, classic()...)
	same(t, once, pod.State())
}

func TestCleanLeavesWhatWasThereBefore(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	pod.MustRun("sh", "-euc", `iptables -t nat -A OUTPUT -p tcp --dport 81 -m comment --comment "before ISTIO_OUTPUT" -j RETURN
		ip rule add fwmark 5 lookup 55; ip -6 addr add 2001:db8::9/128 dev lo nodad`)
	before := pod.State()
	for _, backend := range []string{"iptables-nft", "iptables-legacy", "nftables"} {
		s.in(pod, 0, classic("--backend", backend, "-m", "TPROXY", "--redirect-dns", "--capture-all-dns", "--drop-invalid")...)
		s.in(pod, 0, "clean")
		s.in(pod, 0, "clean")
		for section, diff := range withoutEmptyTables(before, pod.State()) {
			t.Errorf("%s: %s differs:\n%s", backend, section, diff)
		}
	}
	s.in(pod, 0, classic("--cleanup-only")...)
}

// withoutEmptyTables compares all that a clean-up can put back: a table that
// iptables has made stays, empty, since no tool can take it away.
func withoutEmptyTables(before, after rig.State) map[string]string {
	diffs := map[string]string{}
	for section, text := range after {
		if strings.Contains(section, "legacy") || section == "nft" {
			if strings.Contains(text, "ISTIO_") != strings.Contains(before[section], "ISTIO_") {
				diffs[section] = text
			}
			continue
		}
		if text != before[section] {
			diffs[section] = "before\n" + before[section] + "\nafter\n" + text
		}
	}
	return diffs
}

func TestBadSettingsProgramNothing(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	before := pod.State()
	says(t, s.in(pod, 64, "apply", "-i", "10.0.0.0/33", "-b", "ssh"), "2 settings are refused", "10.0.0.0/33", "ssh")
	says(t, s.in(pod, 64, "apply", "--no-such-flag"), "--help")
	same(t, before, pod.State())
}

func TestADryRunChangesNothingAndNeedsNothing(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	s.tools = rig.NewTools(t, nil)
	before := pod.State()
	for _, format := range []string{"iptables", "commands", "nft", "json", "yaml"} {
		c := s.cmd(classic("--dry-run", "--format", format)...)
		c.As = rig.User{UID: 12345, GID: 12345}
		if r := s.run(pod, 0, c); !strings.Contains(r.Stdout, "ISTIO_OUTPUT") || r.Stderr != "" {
			t.Errorf("%s: %q, and on stderr %q", format, r.Stdout, r.Stderr)
		}
	}
	same(t, before, pod.State())
	if calls := s.tools.Calls(); len(calls) > 0 {
		t.Errorf("programs were run: %q", calls)
	}
}

func TestWithoutCapabilityTheExitCodeIs77(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	c := s.cmd(classic()...)
	c.As = rig.App
	says(t, s.run(pod, 77, c), "NET_ADMIN")
}

func TestNetAdminAloneIsEnoughForNftAndNative(t *testing.T) {
	s := build(t)
	for _, backend := range []string{"iptables-nft", "nftables"} {
		pod := rig.NewNamespace(t, "pod")
		c := s.cmd(classic("--backend", backend)...)
		c.Only = []uintptr{unix.CAP_NET_ADMIN}
		s.run(pod, 0, c)
		c.As, c.Ambient, c.Only = rig.App, []uintptr{unix.CAP_NET_ADMIN}, nil
		s.run(pod, 0, c)
	}
}

func TestWithoutAnyBackendTheExitCodeIs69(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	s.tools = rig.NewTools(t, nil)
	says(t, s.in(pod, 69, classic("--backend", "iptables")...), "iptables")
	says(t, s.in(pod, 0, classic()...), "backend nftables: no usable iptables")
}

func TestAHeldLockIsExitCode75(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	holder := pod.Start(rig.Cmd{Args: []string{"flock", "/proc/self/ns/net", "sleep", "60"}})
	time.Sleep(200 * time.Millisecond)
	says(t, s.in(pod, 75, classic("--timeout", "300ms")...), "again")
	holder.Stop()
	s.in(pod, 0, classic()...)
}

func TestASignalEndsAWaitingRunWithAWord(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	pod.Start(rig.Cmd{Args: []string{"flock", "/proc/self/ns/net", "sleep", "60"}})
	time.Sleep(200 * time.Millisecond)
	before := pod.State()
	run := pod.Start(s.cmd(classic()...))
	time.Sleep(200 * time.Millisecond)
	if err := run.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-run.Ended():
	case <-time.After(2 * time.Second):
		t.Error("the signal did not end it")
	}
	if said := run.Output(); !strings.Contains(said, "interrupted: lock the network namespace") {
		t.Errorf("it said %q", said)
	}
	same(t, before, pod.State())
}

func TestARunThatRunsOutOfTimeAnywhereLeavesWhatWasThereBefore(t *testing.T) {
	s := build(t)
	for _, backend := range []string{"nftables", "iptables-nft", "iptables-legacy"} {
		t.Run(backend, func(t *testing.T) {
			s, pod := sluice{t: t, path: s.path}, rig.NewNamespace(t, "pod")
			args := classic("-m", "TPROXY", "--backend", backend)
			s.in(pod, 0, args...)
			s.in(pod, 0, "clean") // what the kernel makes once and keeps is there now
			before, late, done := pod.State(), 0, false
			for limit := 200 * time.Microsecond; limit < time.Second && !done; limit += limit / 20 {
				r := pod.RunCmd(s.cmd(append(args, "--timeout", limit.String())...))
				if done = r.Code == 0; done {
					break
				}
				late++
				same(t, before, pod.State())
				if t.Failed() {
					t.Fatalf("after %s: exit code %d: %s", limit, r.Code, r.Stderr)
				}
			}
			if late == 0 || !done {
				t.Errorf("%d runs were out of time, and one was in time: %v; want some, and true", late, done)
			}
		})
	}
}

func TestTheNamespaceItWasStartedInIsRefusedByName(t *testing.T) {
	s, pod, other := build(t), rig.NewNamespace(t, "pod"), rig.NewNamespace(t, "other")
	before := pod.State()
	says(t, s.in(pod, 64, classic("--netns", "/proc/self/ns/net")...), "--allow-host-netns")
	same(t, before, pod.State())
	s.in(pod, 0, classic("--netns", "/proc/self/ns/net", "--allow-host-netns")...)
	before = pod.State()
	s.in(pod, 0, classic("--netns", other.Path())...)
	s.in(pod, 0, append([]string{"check", "--netns", other.Name}, classic()[1:]...)...)
	same(t, before, pod.State())
}

func TestIPv6ThatIsOffIsSkippedAndSaid(t *testing.T) {
	s, r := build(t), rig.New(t, rig.WithoutIPv6())
	says(t, s.in(r.Pod, 0, classic()...), "IPv6 is not programmed: disabled by sysctl", "verified for IPv4 in")
	says(t, s.in(r.Pod, 69, classic("--ip-families", "dual")...), "disable_ipv6")
}

func TestWithoutIp6tablesAutoTakesNftables(t *testing.T) {
	s, r := build(t), rig.New(t)
	s.tools = rig.NewTools(t, []rig.Flavour{rig.NFT})
	for _, name := range []string{"ip6tables", "ip6tables-save", "ip6tables-restore", "ip6tables-nft", "ip6tables-nft-save", "ip6tables-nft-restore"} {
		s.tools.Remove(name)
	}
	says(t, s.in(r.Pod, 0, classic()...), "backend nftables: no usable ip6tables")
	s.in(r.Pod, 0, "clean")
	says(t, s.in(r.Pod, 69, classic("--backend", "iptables-nft")...), "IPv6")
	says(t, s.in(r.Pod, 0, classic("--backend", "iptables-nft", "--ip-families", "v4")...), "bypasses the proxy")
}

func TestAFreshDualStackApplyStartsFewPrograms(t *testing.T) {
	s := build(t)
	for backend, most := range map[string]int{"iptables-nft": 8, "iptables-legacy": 8, "nftables": 0} {
		pod := rig.NewNamespace(t, "pod")
		s.tools = rig.NewTools(t, rig.Flavours())
		s.in(pod, 0, classic("--backend", backend)...)
		// The counting wrappers hide the names that tell a program's flavour, so
		// it has to be asked here; a host's own programs are symbolic links.
		calls := slices.DeleteFunc(s.tools.Calls(), func(c string) bool { return strings.HasSuffix(c, "--version") })
		if len(calls) > most {
			t.Errorf("%s started %d programs, want at most %d: %q", backend, len(calls), most, calls)
		}
	}
}

func TestBackendsMigrateWithoutLosingAConnection(t *testing.T) {
	s, r := build(t), rig.New(t)
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
	r.World.App(rig.Root, "world", rig.Service4(1).String()+":80")
	s.in(r.Pod, 0, classic("--backend", "iptables-nft")...)
	stop, escaped := make(chan struct{}), make(chan string, 1)
	go watch(r, stop, escaped)
	for _, backend := range []string{"nftables", "iptables-legacy", "nftables", "iptables-nft", "iptables-legacy", "iptables-nft"} {
		s.in(r.Pod, 0, classic("--backend", backend)...)
		s.in(r.Pod, 0, append([]string{"check", "--backend", backend}, classic()[1:]...)...)
	}
	close(stop)
	if what := <-escaped; what != "" {
		t.Error(what)
	}
}

// watch connects all the time and says what did not land on Out.
func watch(r *rig.Rig, stop <-chan struct{}, escaped chan<- string) {
	what := ""
	for {
		select {
		case <-stop:
			escaped <- what
			return
		default:
		}
		got, err := r.Pod.Ask(rig.App, "tcp", rig.Service4(1).String()+":80")
		if err != nil {
			what = "a connection failed: " + err.Error()
		} else if got.Listener != sidecar.Out {
			what = "a connection escaped to " + got.Listener
		}
	}
}

func TestAMigrationThatFailsIsUndone(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	s.in(pod, 0, classic("--backend", "iptables-nft")...)
	before := pod.State()
	s.tools = rig.NewTools(t, rig.Flavours())
	for _, name := range []string{"iptables-nft-restore", "ip6tables-nft-restore"} {
		s.tools.Remove(name)
		s.tools.AddScript(name, "echo out of order >&2; exit 1")
	}
	says(t, s.in(pod, 1, classic("--backend", "nftables", "-m", "TPROXY")...), "remove the old rules in iptables-nft", "out of order")
	same(t, before, pod.State())
}

func TestExplainKnowsTheNamespaceThatItLooksAt(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	pod.IP("link", "add", "net1", "type", "bridge")
	pod.IP("addr", "add", "192.0.2.77/24", "dev", "net1")
	pod.IP("link", "set", "net1", "up")
	s.in(pod, 0, classic()...)
	for question, want := range map[string]string{
		"--from proxy --to 192.0.2.77:80": "Captured: the connection goes to the proxy's inbound port 15006.",
		"--to 192.0.2.77:80":              "Not captured: the connection goes straight to 192.0.2.77:80.",
		"--in --to :80":                   "to 192.0.2.77:80, arriving by net1",
		"--to 192.0.2.80:80":              "no: from 192.0.2.77, not 127.0.0.6",
		"--to 198.51.100.1:80":            "there is no route to 198.51.100.1 now",
	} {
		says(t, s.in(pod, 0, append([]string{"explain", "--live"}, strings.Fields(question)...)...), want)
	}
}
