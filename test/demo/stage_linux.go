package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// stage is the testing.TB of a program that is no test: the rig's failures end
// the demonstration, and its clean-ups run at the end of it. What a
// demonstration does not use of testing.TB is nil.
type stage struct {
	testing.TB

	mu       sync.Mutex
	cleanups []func()
	failures []string
	cleaning sync.Mutex
	waiting  atomic.Bool // all is shown, and left in place for the user
}

// failure is what Fatal panics with.
type failure string

func (s *stage) Helper() {}

func (s *stage) Cleanup(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, fn)
}

func (s *stage) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}

func (s *stage) Fatal(args ...any) { panic(failure(fmt.Sprint(args...))) }

func (s *stage) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// play runs the demonstration, cleans up, and returns what failed.
func (s *stage) play(show func()) []string {
	s.run(show)
	s.cleanUp()
	return s.failures
}

// cleanUp runs the clean-ups once, the last one first. Who comes second waits.
func (s *stage) cleanUp() {
	s.cleaning.Lock()
	defer s.cleaning.Unlock()
	for {
		fn := s.last()
		if fn == nil {
			return
		}
		s.run(fn)
	}
}

// last takes the clean-up that was registered last; nil if there is none left.
func (s *stage) last() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cleanups) == 0 {
		return nil
	}
	fn := s.cleanups[len(s.cleanups)-1]
	s.cleanups = s.cleanups[:len(s.cleanups)-1]
	return fn
}

func (s *stage) run(fn func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			s.Errorf("%s", p)
		default:
			panic(p)
		}
	}()
	fn()
}
