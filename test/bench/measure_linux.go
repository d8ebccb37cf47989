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
	// stdin is the network config of a plugin's call; empty for a command that
	// programs the namespace it runs in.
	stdin string
}

// inPlace calls do in a fresh namespace, with the environment to start in.
func (v variant) inPlace(do func(env []string) error) error {
	if v.stdin != "" {
		return onNode(do)
	}
	return inFresh(func() error { return do(nil) })
}

// command is the variant behind a prefix, as a process to start.
func (v variant) command(env []string, prefix ...string) *exec.Cmd {
	argv := append(prefix, v.argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	return cmd
}

// input is the variant's stdin as a file: no goroutine copies.
func (v variant) input() (*os.File, error) {
	f, err := os.CreateTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(v.stdin); err != nil {
		return nil, err
	}
	_, err = f.Seek(0, 0)
	return f, err
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
	in, err := r.input()
	if err != nil {
		return err
	}
	defer in.Close()
	return r.inside(func(env []string) error {
		out, err := os.CreateTemp("", "bench")
		if err != nil {
			return err
		}
		defer os.Remove(out.Name())
		defer out.Close()
		cmd := r.command(env)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out // files: no goroutine copies
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
func (r *result) inside(do func(env []string) error) error {
	return r.inPlace(func(env []string) error {
		if r.before != nil {
			if err := quietly(r.before); err != nil {
				return err
			}
		}
		return do(env)
	})
}

// weigh takes the peak memory. A process begins with the memory of whoever
// started it, so a small program (test/peak) starts it.
func (r *result) weigh(peak string) error {
	return r.inside(func(env []string) error {
		cmd := r.command(env, peak)
		cmd.Stdin = strings.NewReader(r.stdin)
		var said strings.Builder // stdout may end within a line
		cmd.Stderr = &said
		err := cmd.Run()
		words := strings.Fields(said.String())
		if err != nil || len(words) == 0 {
			return &commandError{r.argv, []byte(said.String()), err}
		}
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
	err = r.inside(func(env []string) error {
		cmd := r.command(env, "strace", "-f", "-qq", "-o", file)
		cmd.Stdin = strings.NewReader(r.stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return &commandError{cmd.Args, out, err}
		}
		return nil
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
