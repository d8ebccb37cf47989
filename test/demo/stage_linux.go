package main

import (
	"fmt"
	"sync"
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
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.run(s.cleanups[i])
	}
	return s.failures
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
