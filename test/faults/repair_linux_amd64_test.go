package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

// repairs programs the scene's pod as the node agent does, which finds it by a
// process of its control group and knows it by its addresses.
type repairs struct {
	*scene
	path, backend, proc string
}

const uid = "0b5a3e9c-8f5e-4a60-9d6e-2f8b1c7d4e21"

func eachRepair(t *testing.T, test func(*testing.T, repairs)) {
	sluice, path := buildSluice(t), program.Build(t, "test/faults/repairer")
	for _, b := range backends {
		t.Run(b, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sluice)
			test(t, repairs{s, path, b, s.processes()})
		})
	}
}

// processes is a /proc with the host's first process and one of the pod.
func (s *scene) processes() string {
	s.t.Helper()
	dir := s.t.TempDir()
	for pid, p := range map[string]struct{ group, namespace string }{
		"1":    {"/init.scope", "/proc/1/ns/net"},
		"4711": {"/kubepods/pod" + uid + "/c0ffee", s.Pod.Path()},
	} {
		for _, sub := range []string{"ns", "net"} {
			s.mustBe(os.MkdirAll(filepath.Join(dir, pid, sub), 0o755))
		}
		s.mustBe(os.WriteFile(filepath.Join(dir, pid, "cgroup"), []byte("0::"+p.group+"\n"), 0o644))
		s.mustBe(os.WriteFile(filepath.Join(dir, pid, "net/dev"), nil, 0o644))
		s.mustBe(os.Symlink(p.namespace, filepath.Join(dir, pid, "ns/net")))
	}
	return dir
}

func (s *scene) mustBe(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (r repairs) command() (*exec.Cmd, *bytes.Buffer) {
	out := &bytes.Buffer{}
	cmd := exec.Command(r.path, r.proc, uid, r.backend, rig.Pod4.String(), rig.Pod6.String())
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func (r repairs) must(when string) {
	r.t.Helper()
	cmd, out := r.command()
	if err := runApart(cmd); err != nil {
		r.t.Errorf("%s: %v: %s", when, err, out)
	}
}

func TestRepairDisturbedAtEveryStepIsFinishedByTheNextOne(t *testing.T) {
	eachRepair(t, func(t *testing.T, r repairs) {
		for _, d := range disturbances {
			var l tally
			points := 0
			for n := first(); ; n, points = n+*every, points+1 {
				r.scene.must("clean")
				at, done, out, err := r.disturb(n, d)
				if !done {
					break
				}
				if err == nil {
					l.try("repaired in spite of "+at.String(), r.probes())
				} else if d.name != "kill" && (strings.TrimSpace(out) == "" || strings.Contains(out, "panic:")) {
					t.Errorf("disturbed at %s, it ended with %v and said %q", at, err, out)
				}
				r.must(fmt.Sprint("after ", at))
				l.try("repaired again after "+at.String(), r.probes())
			}
			l.mustHaveHeld(t)
			record(t, d.name+" the agent's repair", points, l.total())
		}
	})
}

func (r repairs) disturb(n int, d disturbance) (at Step, done bool, out string, err error) {
	cmd, text := r.command()
	err = Trace(cmd, func(s Step) Action {
		if d.name == "kill" && !s.Changes() || !s.Own && swallowed[s.Call] {
			return Action{}
		}
		if n--; n != -1 {
			return Action{}
		}
		at, done = s, true
		return d.do(s)
	})
	return at, done, text.String(), err
}
