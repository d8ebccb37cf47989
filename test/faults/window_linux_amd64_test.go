package faults

import (
	"testing"
)

// transition is a change of what stands in a pod.
type transition struct{ from, fromBackend, to, toBackend string }

func (c transition) String() string {
	return c.from + " " + c.fromBackend + " to " + c.to + " " + c.toBackend
}

func transitions() []transition {
	var list []transition
	for _, b := range backends {
		list = append(list, transition{"old", b, "new", b}, transition{"old", b, "tproxy", b}, transition{"tproxy", b, "old", b})
		for _, other := range backends {
			if other != b {
				list = append(list, transition{"old", b, "new", other})
			}
		}
	}
	return list
}

func TestStoppedAtEveryStepOfAChangeNothingEscapes(t *testing.T) {
	sluice := buildSluice(t)
	for _, c := range transitions() {
		t.Run(c.String(), func(t *testing.T) {
			s := newScene(t, sluice)
			s.must(apply(c.from, c.fromBackend)...)
			var l tally
			stop := l.always(s.probes())
			steps := 0
			out, err := s.trace(apply(c.to, c.toBackend), func(step Step) Action {
				steps++
				l.try(step.String(), s.probes())
				return Action{}
			})
			stop()
			if err != nil || steps < 10 {
				t.Fatalf("after %d steps: %v\n%s", steps, err, out)
			}
			s.must(check(c.to, c.toBackend)...)
			l.mustHaveHeld(t)
			recordAt(t, "stop and connect", steps, 1, l.total())
		})
	}
}
