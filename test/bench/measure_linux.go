package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// variant is one way to do something, as a whole process.
type variant struct {
	name string
	argv []string
	// before runs in the same namespace first and is not measured.
	before []string
}

// result is what was measured of a variant.
type result struct {
	variant
	times     []time.Duration // sorted
	peak      int64           // KiB, of the process and its children
	processes int             // started by it
	calls     int             // system calls, with those of its children
}

type commandError struct {
	argv []string
	out  []byte
	err  error
}

func (e *commandError) Error() string {
	return fmt.Sprintf("%s: %v\n%s", strings.Join(e.argv, " "), e.err, e.out)
}

// measure starts every variant so many times, shuffled anew in each round.
func measure(variants []variant, peak string, rounds int) ([]result, error) {
	results := make([]result, len(variants))
	for i, v := range variants {
		results[i].variant = v
	}
	for range rounds {
		for _, i := range rand.Perm(len(variants)) {
			if err := results[i].once(); err != nil {
				return nil, err
			}
		}
	}
	for i := range results {
		sortDurations(results[i].times)
		if err := errors.Join(results[i].trace(), results[i].weigh(peak)); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// once starts the variant in a fresh namespace and takes its time.
func (r *result) once() error {
	return r.inside(func() error {
		out, err := os.CreateTemp("", "bench")
		if err != nil {
			return err
		}
		defer os.Remove(out.Name())
		defer out.Close()
		cmd := exec.Command(r.argv[0], r.argv[1:]...)
		cmd.Stdout, cmd.Stderr = out, out // a file: no goroutine copies
		begin := time.Now()
		err = cmd.Run()
		took := time.Since(begin)
		if err != nil {
			said, _ := os.ReadFile(out.Name())
			return &commandError{r.argv, said, err}
		}
		r.times = append(r.times, took)
		return nil
	})
}

// inside calls do in a fresh namespace, after what the variant wants before.
func (r *result) inside(do func() error) error {
	return inFresh(func() error {
		if r.before != nil {
			if err := quietly(r.before); err != nil {
				return err
			}
		}
		return do()
	})
}

// weigh takes the peak memory. A process begins with the memory of whoever
// started it, so a small program (test/peak) starts it.
func (r *result) weigh(peak string) error {
	return r.inside(func() error {
		out, err := exec.Command(peak, r.argv...).CombinedOutput()
		if err != nil {
			return &commandError{r.argv, out, err}
		}
		words := strings.Fields(string(out))
		r.peak, err = strconv.ParseInt(words[len(words)-1], 10, 64)
		return err
	})
}

// trace runs the variant once under strace, which counts.
func (r *result) trace() error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "trace")
	err = r.inside(func() error {
		return quietly(append([]string{"strace", "-f", "-qq", "-o", file}, r.argv...))
	})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	r.count(string(text))
	return err
}

// count reads strace's lines: "PID call(arguments) = result", or in two parts if
// another process came in between: "PID <... call resumed>) = result".
func (r *result) count(text string) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case strings.HasPrefix(rest, "+++"), strings.HasPrefix(rest, "---"):
			continue
		case !strings.HasPrefix(rest, "<..."):
			r.calls++
		}
		started := strings.HasPrefix(rest, "execve(") || strings.HasPrefix(rest, "<... execve resumed")
		if started && strings.HasSuffix(rest, "= 0") {
			r.processes++
		}
	}
	r.processes-- // itself
}
