package faults

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// Somebody else edits the tables between any two of our steps. Their rules
// stay, ours become what is wanted, and if that is not to be had the run says so
// and the next one finishes.
func TestEditedByOthersAtEveryStepBothGetTheirRules(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, b string) {
		s.settle()
		var l tally
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			s.must(apply("old", b)...)
			stop := l.always(s.probes())
			edited := false
			out, err := s.trace(apply("new", b), func(step Step) Action {
				if step.Number == n {
					edited = true
					s.edit(b, n)
				}
				return Action{}
			})
			stop()
			if !edited {
				break
			}
			if err != nil && !exits[code(err)] {
				t.Errorf("edited at step %d: %v\n%s", n, err, out)
			}
			if got := s.edits(b, n); got != "2 rules, 1 chain" {
				t.Errorf("edited at step %d: of the other's edit there is %s", n, got)
			}
			s.must(apply("new", b)...)
			s.must(check("new", b)...)
			s.unedit(b, n)
		}
		l.mustHaveHeld(t)
		record(t, "edit by others", points, l.total())
	})
}

func flavourOf(backend string) rig.Flavour {
	if backend == "iptables-legacy" {
		return rig.Legacy
	}
	return rig.NFT
}

// edit adds a chain, a rule in front of ours, and one in the middle of ours.
func (s *scene) edit(backend string, n int) {
	name, f := fmt.Sprintf("EDIT%d", n), flavourOf(backend)
	s.mustEdit(f, rig.IPv4, "-N", name)
	s.mustEdit(f, rig.IPv4, "-I", "OUTPUT", "-p", "udp", "--dport", "9", "-j", name)
	s.mustEdit(f, rig.IPv4, "-A", name, "-p", "udp", "-j", "RETURN")
	if backend != "nftables" { // the chain may not be there at this moment
		s.edited(f, rig.IPv6, "-I", "ISTIO_OUTPUT", "-p", "udp", "-j", "RETURN")
	}
}

// unedit keeps the tables, and so the number of steps, from growing.
func (s *scene) unedit(backend string, n int) {
	name, f := fmt.Sprintf("EDIT%d", n), flavourOf(backend)
	s.mustEdit(f, rig.IPv4, "-D", "OUTPUT", "-p", "udp", "--dport", "9", "-j", name)
	s.mustEdit(f, rig.IPv4, "-F", name)
	s.mustEdit(f, rig.IPv4, "-X", name)
}

// edited edits under a lock of its own: ours is held while we stand still.
func (s *scene) edited(f rig.Flavour, family rig.Family, args ...string) rig.Result {
	return s.Pod.RunCmd(rig.Cmd{
		Args: append([]string{f.Program(family, ""), "-t", "nat"}, args...), Env: append(os.Environ(), "XTABLES_LOCKFILE=/proc/self/comm"),
	})
}

func (s *scene) mustEdit(f rig.Flavour, family rig.Family, args ...string) {
	s.t.Helper()
	if r := s.edited(f, family, args...); r.Code != 0 {
		s.t.Fatalf("edit %v: %s", args, r.Stderr)
	}
}

func (s *scene) edits(backend string, n int) string {
	rules, chains := 0, 0
	name := fmt.Sprintf("EDIT%d", n)
	for line := range strings.Lines(s.Pod.Save(flavourOf(backend), rig.IPv4)) {
		switch fields := strings.Fields(line); {
		case fields[0] == ":"+name:
			chains++
		case fields[0] == "-A" && (fields[1] == name || fields[len(fields)-1] == name):
			rules++
		}
	}
	return fmt.Sprintf("%d rules, %d chain", rules, chains)
}

// A second run is started at any step of the first, and the first goes on.
func TestTwoAtOnceBothFinishAtWhateverStepTheSecondBegins(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, b string) {
		s.must(apply("old", b)...)
		var l tally
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			stop := l.always(s.probes())
			which := []string{"old", "new"}[points%2]
			var second sync.WaitGroup
			secondCode, secondOut := -2, ""
			out, err := s.trace(apply(which, b), func(step Step) Action {
				if step.Number == n {
					second.Go(func() { secondCode, secondOut = s.run(apply(which, b)...) })
				}
				return Action{}
			})
			second.Wait()
			stop()
			if secondCode == -2 {
				break
			}
			if err != nil || secondCode != 0 {
				t.Errorf("second begun at step %d: the first ends with %v\n%s\nthe second with %d\n%s", n, err, out, secondCode, secondOut)
			}
			s.must(check(which, b)...)
		}
		l.mustHaveHeld(t)
		record(t, "second run at once", points, l.total())
	})
}
