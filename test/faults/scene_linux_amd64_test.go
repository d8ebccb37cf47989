package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/test/sock"
)

func TestMain(m *testing.M) { rig.Main(m) }

// settings are two ways to be meshed. In both, everything that the probes dial
// is captured.
var settings = map[string][]string{
	"old": {"-p", "15001", "-z", "15006", "-u", "1337", "-g", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"},
	"new": {"-p", "15001", "-z", "15006", "-u", "1337", "-g", "1337", "-m", "REDIRECT", "-i", "*", "-x", "203.0.113.0/24", "-b", "*", "-d", "15020", "-o", "9", "--drop-invalid"},
	// The sidecar's inbound listener is transparent, so that both modes work.
	"tproxy": {"-p", "15001", "-z", "15006", "-u", "1337", "-g", "1337", "-m", "TPROXY", "-i", "*", "-x", "", "-b", "*", "-d", "15020"},
}

var backends = []string{"iptables-nft", "iptables-legacy", "nftables"}

// scene is a pod with an application and a proxy, and the world around it.
type scene struct {
	*rig.Rig
	t      *testing.T
	sluice string
}

func newScene(t *testing.T, sluice string) *scene {
	t.Helper()
	s := &scene{rig.New(t), t, sluice}
	s.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: true})
	s.Pod.App(rig.App, "app", fmt.Sprintf("%s:8080", rig.Pod4), fmt.Sprintf("[%s]:8080", rig.Pod6))
	s.World.App(rig.Root, "world", fmt.Sprintf("%s:80", rig.Service4(1)), fmt.Sprintf("[%s]:80", rig.Service6(1)))
	return s
}

// eachScene runs a test in a pod of its own for each backend.
func eachScene(t *testing.T, test func(t *testing.T, s *scene, backend string)) {
	sluice := buildSluice(t)
	for _, b := range backends {
		t.Run(b, func(t *testing.T) {
			t.Parallel()
			test(t, newScene(t, sluice), b)
		})
	}
}

// buildSluice builds the program once for a test.
func buildSluice(t *testing.T) string {
	t.Helper()
	return program.Build(t, "cmd/sluice")
}

// apply is the command line that programs the pod.
func apply(which, backend string) []string {
	return append([]string{"istio-iptables", "--backend", backend}, settings[which]...)
}

// check is the command line that compares.
func check(which, backend string) []string {
	return append([]string{"check", "--backend", backend}, settings[which]...)
}

// command is a run of the program in the pod.
func (s *scene) command(args []string) (*exec.Cmd, *bytes.Buffer) {
	out := &bytes.Buffer{}
	cmd := exec.Command(s.sluice, args...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// run runs the program undisturbed and returns its exit code.
func (s *scene) run(args ...string) (int, string) {
	r := s.Pod.RunCmd(rig.Cmd{Args: append([]string{s.sluice}, args...)})
	return r.Code, r.Stdout + r.Stderr
}

func (s *scene) must(args ...string) {
	s.t.Helper()
	if code, out := s.run(args...); code != 0 {
		s.t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
}

// trace runs the program in the pod from step to step.
func (s *scene) trace(args []string, at func(Step) Action) (out string, err error) {
	s.t.Helper()
	cmd, text := s.command(args)
	s.Pod.Do(func() { err = Trace(cmd, at) })
	return text.String(), err
}

// code is an exit code, -1 for a kill.
func code(err error) int {
	var ended *Ended
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.Status.Exited():
		return ended.Status.ExitStatus()
	}
	return -1
}

// runApart keeps its thread: a Trace that found itself on it would wait for its child.
func runApart(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

// probe is one connection that must never reach its destination directly.
type probe struct {
	from *rig.Namespace
	as   rig.User
	to   string
	want string
}

func (s *scene) probes() []probe {
	return []probe{
		{s.Pod, rig.App, fmt.Sprintf("%s:80", rig.Service4(1)), sidecar.Out},
		{s.Pod, rig.App, fmt.Sprintf("[%s]:80", rig.Service6(1)), sidecar.Out},
		{s.World, rig.Root, fmt.Sprintf("%s:8080", rig.Pod4), sidecar.In},
		{s.World, rig.Root, fmt.Sprintf("[%s]:8080", rig.Pod6), sidecar.In},
	}
}

// landed says who took the connection, or "nobody".
func (p probe) landed() string {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	c, err := p.from.Net(p.as).Dial(ctx, "tcp", p.to, sock.Options{})
	if err != nil {
		return "nobody"
	}
	defer c.Close()
	r, err := sidecar.Question(c)
	if err != nil {
		return "nobody"
	}
	return r.Listener
}

// tally counts where connections landed.
type tally struct {
	mu      sync.Mutex
	count   map[string]int
	escapes []string
}

func (l *tally) try(when string, probes []probe) {
	for _, p := range probes {
		got := p.landed()
		l.mu.Lock()
		if l.count == nil {
			l.count = map[string]int{}
		}
		l.count[got]++
		if got != p.want && got != "nobody" {
			l.escapes = append(l.escapes, fmt.Sprintf("%s: %s landed on %s", when, p.to, got))
		}
		l.mu.Unlock()
	}
}

// always tries all the time, beside everything else, until stop is called.
func (l *tally) always(probes []probe) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				l.try("at some time", probes)
			}
		}
	})
	return func() { close(done); wait.Wait() }
}

// mustHaveHeld fails the test if a connection escaped, or if none was tried.
func (l *tally) mustHaveHeld(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.escapes {
		if i == 10 {
			t.Errorf("and %d more", len(l.escapes)-i)
			break
		}
		t.Error("escaped:", e)
	}
	if l.count[sidecar.Out] == 0 || l.count[sidecar.In] == 0 {
		t.Errorf("no connection landed on the proxy, so none could have escaped: %v", l.count)
	}
	total := 0
	for _, n := range l.count {
		total += n
	}
	if l.count["nobody"]*5 > total {
		t.Errorf("too many connections failed to prove anything: %v", l.count)
	}
}
