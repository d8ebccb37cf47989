package xtables

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// call is one program run.
type call struct {
	op    string
	argv  []string
	stdin string
}

const (
	childLimit    = 30 * time.Second // for one program, if the context allows it so long
	maxStdout     = 64 << 20         // as much as iptables.Parse reads
	maxStderr     = 16 << 10
	afterKillWait = time.Second // for pipes that a grandchild keeps open
)

// lockFile is what a legacy program takes its lock on: a file that is its
// alone. The real lock is the namespace and this process holds it (Lock); a
// child that waited for the same lock would wait for its parent. Without this
// the file is /run/xtables.lock, which all namespaces of a host share and a
// read-only root does not have.
const lockFile = "/proc/self/comm"

// childEnv is all that a program learns from us: no locale, no library path, no
// name service.
func childEnv() []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C",
		"XTABLES_LOCKFILE=" + lockFile,
	}
}

// run starts a program in the namespace of the calling thread and returns what
// it printed. The context's end kills it with all its children; so does the
// death of this process, lest an orphan writes rules behind the next run's back.
func run(ctx context.Context, c call) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, childLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	stdout, stderr := &limited{max: maxStdout}, &limited{max: maxStderr}
	cmd.Env, cmd.Dir = childEnv(), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = afterKillWait
	err := cmd.Run()
	switch {
	case stdout.over:
		return "", &Error{Op: c.op, Argv: c.argv, Words: "it printed more than 64 MiB", Hint: "is the program what its name says?"}
	case ctx.Err() != nil && err != nil:
		return "", stopped(c, ctx.Err(), stderr.String())
	case err != nil:
		return "", childError(c, err, stderr.String())
	}
	return stdout.String(), nil
}

func stopped(c call, why error, words string) error {
	e := &Error{Op: c.op, Argv: c.argv, Exit: -1, Err: why, Words: tidy(words)}
	if e.Words == "" {
		e.Words = "it did not finish in time and was killed"
	}
	if errors.Is(why, context.Canceled) {
		e.Words = "interrupted"
	}
	return e
}

func childError(c call, err error, words string) error {
	exit := -1
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		exit = ee.ExitCode()
	} else { // it did not even start
		return &Error{Kind: Unusable, Op: c.op, Argv: c.argv, Exit: exit, Err: err, Hint: "the program cannot be run: reinstall iptables"}
	}
	kind, hint := classify(exit, words)
	e := &Error{Kind: kind, Op: c.op, Argv: c.argv, Exit: exit, Words: tidy(words), Hint: hint, Err: err}
	if e.Words == "" {
		e.Words = "it failed without a word"
	}
	return e
}

var errTooMuch = errors.New("too much output")

// limited keeps the first max bytes and refuses the rest, which ends the pipe
// and by that the program. It hides the buffer, whose ReadFrom knows no limit.
type limited struct {
	buf  bytes.Buffer
	max  int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := l.max - l.buf.Len()
	if len(p) > room {
		l.over = true
		n, _ := l.buf.Write(p[:room])
		return n, errTooMuch
	}
	return l.buf.Write(p)
}

func (l *limited) String() string { return l.buf.String() }
