package faults

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// ways are the changes during which the program is killed and failed.
func ways() []transition {
	var list []transition
	for i, b := range backends {
		list = append(list,
			transition{"old", b, "new", b},
			transition{"tproxy", b, "new", b},
			transition{"old", b, "new", backends[(i+1)%len(backends)]})
	}
	return list
}

func TestKilledAtEveryStepOfAChangeNothingEscapesAndTheNextRunFinishes(t *testing.T) {
	sluice := buildSluice(t)
	for _, c := range ways() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sluice)
			s.settle()
			foreign := s.foreign()
			var l tally
			points := 0
			for n := first(); ; n, points = n+*every, points+1 {
				s.must(apply(c.from, c.fromBackend)...)
				stop := l.always(s.probes())
				step, dead := s.killAt(apply(c.to, c.toBackend), n)
				stop()
				l.try("after "+step.String(), s.probes())
				if !dead {
					break
				}
				s.must(apply(c.to, c.toBackend)...)
				if code, out := s.run(check(c.to, c.toBackend)...); code != 0 {
					t.Errorf("killed at %s, the next run did not finish: %s", step, out)
				}
			}
			if got := s.foreign(); got != foreign {
				t.Errorf("foreign rules were\n%s\nand are\n%s", foreign, got)
			}
			if points*(*every) < 5 {
				t.Errorf("killed at %d points only", points)
			}
			l.mustHaveHeld(t)
			record(t, "kill during a change", points, l.total())
		})
	}
}

// killAt kills before the n-th step that changes something: by turns the
// program alone and everything at once. dead is false if it ended before.
func (s *scene) killAt(args []string, n int) (at Step, dead bool) {
	s.t.Helper()
	out, err := s.trace(args, func(step Step) Action {
		if !step.Changes() {
			return Action{}
		}
		if n--; n != -1 {
			return Action{}
		}
		at, dead = step, true
		if step.Number%2 == 0 {
			return Action{Kill: All}
		}
		return Action{Kill: Self}
	})
	if !dead && err != nil {
		s.t.Fatalf("undisturbed: %v\n%s", err, out)
	}
	return at, dead
}

func TestKilledAtEveryStepOfTheFirstApplyTheNextRunFinishes(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, b string) {
		s.settle()
		foreign := s.foreign()
		var l tally
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			s.must("clean")
			step, dead := s.killAt(apply("tproxy", b), n)
			if !dead {
				break
			}
			s.must(apply("tproxy", b)...)
			s.must(check("tproxy", b)...)
			l.try("repaired after "+step.String(), s.probes())
		}
		if got := s.foreign(); got != foreign {
			t.Errorf("foreign rules were\n%s\nand are\n%s", foreign, got)
		}
		l.mustHaveHeld(t)
		record(t, "kill during the first apply", points, l.total())
	})
}

func TestKilledAtEveryStepOfACleanTheNextCleanLeavesNothing(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, b string) {
		s.settle()
		s.must(apply("tproxy", b)...)
		s.must("clean") // what tables and modules there are, stays
		before := s.Pod.State()
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			s.must(apply("tproxy", b)...)
			step, dead := s.killAt([]string{"clean"}, n)
			if !dead {
				break
			}
			s.must("clean")
			if diff := s.differs(before); diff != "" {
				t.Errorf("killed at %s, then cleaned, this is left or lost:\n%s", step, diff)
			}
		}
		record(t, "kill during clean", points, 0)
	})
}

// differs leaves out what ip(8) says while another test's namespace goes.
func (s *scene) differs(before rig.State) string {
	diff := before.Diff(s.Pod.State())
	var kept []string
	for line := range strings.Lines(diff) {
		if !strings.Contains(line, "Peer netns reference is invalid") {
			kept = append(kept, line)
		}
	}
	if strings.TrimSpace(strings.Join(kept, "")) == "links:" {
		return ""
	}
	return strings.Join(kept, "")
}
