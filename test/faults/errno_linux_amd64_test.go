package faults

import (
	"strings"
	"syscall"
	"testing"
)

// refusals are what a kernel may answer to any system call.
var refusals = []syscall.Errno{syscall.ENOSPC, syscall.EPERM, syscall.EMFILE, syscall.EBUSY, syscall.ENOMEM, syscall.EACCES, syscall.EINVAL}

// exits are the documented exit codes of a failure.
var exits = map[int]bool{1: true, 69: true, 75: true, 77: true}

func TestRefusedAtEveryStepTheOldRulesStandOrTheNewOnes(t *testing.T) {
	sluice := buildSluice(t)
	for _, c := range ways() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sluice)
			s.settle()
			foreign := s.foreign()
			var l tally
			points := 0
			last := "at the beginning"
			for n := first(); ; n, points = n+*every, points+1 {
				if code, out := s.run(apply(c.from, c.fromBackend)...); code != 0 {
					t.Fatalf("the run after %s did not repair: exit code %d\n%s\n%s", last, code, out, s.Pod.MustRun("nft", "list", "ruleset"))
				}
				stop := l.always(s.probes())
				refused, errno, out, err := s.refuseAt(apply(c.to, c.toBackend), n)
				stop()
				if refused.Call == "" {
					break
				}
				when := errno.Error() + " at " + refused.String()
				last = when + "\n" + out
				l.try("after "+when, s.probes())
				s.mustBeOneOrTheOther(c, when, code(err), out)
			}
			if got := s.foreign(); got != foreign {
				t.Errorf("foreign rules were\n%s\nand are\n%s", foreign, got)
			}
			l.mustHaveHeld(t)
			record(t, "refuse a system call", points, l.total())
		})
	}
}

// swallowed are refusals that the iptables programs do not look at: a save that
// lost its output or half of the kernel's answer says that all is well, and a
// restore that cannot ask for extensions picks other revisions of them.
var swallowed = map[string]bool{
	"write stdout": true, "write stderr": true,
	"recvmsg": true, "recvfrom": true, "sendto": true, "socket": true,
}

// refuseAt makes the n-th step fail, each with another error.
func (s *scene) refuseAt(args []string, n int) (at Step, errno syscall.Errno, out string, err error) {
	s.t.Helper()
	out, err = s.trace(args, func(step Step) Action {
		if !step.Own && swallowed[step.Call] {
			return Action{}
		}
		if n--; n != -1 {
			return Action{}
		}
		at, errno = step, refusals[step.Number%len(refusals)]
		return Action{Errno: errno}
	})
	return at, errno, out, err
}

// mustBeOneOrTheOther holds a run to what it said: success means the new rules,
// failure the old ones, with a reason that a person can read.
func (s *scene) mustBeOneOrTheOther(c transition, when string, exit int, out string) {
	s.t.Helper()
	if strings.Contains(out, "panic:") || strings.Contains(out, "goroutine ") {
		s.t.Errorf("%s: it panicked:\n%s", when, out)
	}
	which, backend := c.from, c.fromBackend
	if exit == 0 {
		which, backend = c.to, c.toBackend
	} else if !exits[exit] || strings.TrimSpace(out) == "" {
		s.t.Errorf("%s: exit code %d with %q", when, exit, out)
	}
	if code, diff := s.run(check(which, backend)...); code != 0 {
		s.t.Errorf("%s: exit code %d, so the %s rules should stand:\n%s\nit said:\n%s", when, exit, which, diff, out)
	}
}

func TestRefusedAtEveryStepOfACleanItSaysSoAndTheNextCleanLeavesNothing(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene, b string) {
		s.settle()
		s.must(apply("tproxy", b)...)
		s.must("clean") // what tables and modules there are, stays
		before := s.Pod.State()
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			s.must(apply("tproxy", b)...)
			refused, errno, out, err := s.refuseAt([]string{"clean"}, n)
			if refused.Call == "" {
				break
			}
			when := errno.Error() + " at " + refused.String()
			switch exit := code(err); {
			case exit == 0 && s.differs(before) != "":
				t.Errorf("%s: it said that all is gone, and this is left or lost:\n%s\nit said:\n%s", when, s.differs(before), out)
			case exit != 0 && (!exits[exit] || strings.TrimSpace(out) == "" || strings.Contains(out, "panic:")):
				t.Errorf("%s: exit code %d with %q", when, exit, out)
			}
			s.must("clean")
			if diff := s.differs(before); diff != "" {
				t.Errorf("%s, then cleaned, this is left or lost:\n%s", when, diff)
			}
		}
		record(t, "refuse a system call to clean", points, 0)
	})
}
