package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Cmd is a process to run in a namespace. Only Args is required.
type Cmd struct {
	// Args is the program, looked up in the test's own PATH unless it holds a
	// slash, and its arguments.
	Args []string
	// As is the uid and gid; the zero value is root with every capability.
	As User
	// Ambient are capabilities (unix.CAP_NET_ADMIN) that the process keeps
	// though its uid is not 0.
	Ambient []uintptr
	// Only, if not nil, is the bounding set: capabilities outside of it are
	// out of reach, for uid 0 too.
	Only []uintptr
	// Env is the environment; nil means the test's own.
	Env []string
	// Stdin is what the process reads.
	Stdin string
	// Timeout ends the process; 0 means [RunTimeout].
	Timeout time.Duration
}

// RunTimeout is the time that a process of a test has unless it asks for more.
const RunTimeout = 30 * time.Second

// Result is what a process left behind.
type Result struct {
	Stdout, Stderr string
	// Code is the exit code, -1 if a signal ended the process or it did not
	// start.
	Code int
	// Err is nil exactly if Code is 0.
	Err error
	// MaxRSS is the peak memory in KiB.
	MaxRSS int64
	// Elapsed is the wall time.
	Elapsed time.Duration
}

// Run runs a program as this user and waits for its end.
func (n *Namespace) Run(as User, name string, args ...string) Result {
	return n.RunCmd(Cmd{As: as, Args: append([]string{name}, args...)})
}

// MustRun runs a program as root and returns its stdout; the test ends if the
// program fails.
func (n *Namespace) MustRun(name string, args ...string) string {
	n.t.Helper()
	return n.must(Cmd{Args: append([]string{name}, args...)})
}

func (n *Namespace) must(c Cmd) string {
	n.t.Helper()
	r := n.RunCmd(c)
	if r.Err != nil {
		n.t.Fatalf("%s: %v\n%s%s", strings.Join(c.Args, " "), r.Err, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// RunCmd runs a process and waits for its end.
func (n *Namespace) RunCmd(c Cmd) Result {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = RunTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := c.command(ctx)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := n.start(cmd, c.Only)
	if err == nil {
		err = cmd.Wait()
	}
	r := Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: -1, Err: err, Elapsed: time.Since(begin)}
	if cmd.ProcessState != nil {
		r.Code = cmd.ProcessState.ExitCode()
		r.MaxRSS = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.Err = fmt.Errorf("still running after %v: %w", timeout, err)
	}
	return r
}

func (c Cmd) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Env = c.Env
	cmd.Stdin = strings.NewReader(c.Stdin)
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, AmbientCaps: c.Ambient}
	if c.As != Root {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.As.UID, Gid: c.As.GID}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// start forks on a thread inside the namespace. With a bounding set the thread
// gives up capabilities that it can't have back: it stays locked to its
// goroutine, and ends with it.
func (n *Namespace) start(cmd *exec.Cmd, only []uintptr) error {
	if only == nil {
		return n.startHere(cmd)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		if err := dropAllBut(only); err != nil {
			done <- err
			return
		}
		done <- n.startHere(cmd)
	}()
	return <-done
}

func (n *Namespace) startHere(cmd *exec.Cmd) (err error) {
	enterErr := n.enter(func() { err = cmd.Start() })
	return errors.Join(enterErr, err)
}

func dropAllBut(keep []uintptr) error {
	kept := map[uintptr]bool{}
	for _, c := range keep {
		kept[c] = true
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if kept[c] {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("drop capability %d from the bounding set: %w", c, err)
		}
	}
	return nil
}

// Process is a process that runs beside the test until [Process.Stop], at the
// latest until the test ends.
type Process struct {
	cmd    *exec.Cmd
	output output
	once   sync.Once
	ended  chan struct{}
}

// Start starts a process; Timeout 0 means no limit but the test's end.
func (n *Namespace) Start(c Cmd) *Process {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), c.Timeout)
	}
	p := &Process{cmd: c.command(ctx), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := n.start(p.cmd, c.Only); err != nil {
		cancel()
		n.t.Fatalf("start %s: %v", strings.Join(c.Args, " "), err)
	}
	go func() { _ = p.cmd.Wait(); cancel(); close(p.ended) }()
	n.t.Cleanup(p.Stop)
	return p
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Output is what the process has written so far, to either stream.
func (p *Process) Output() string { return p.output.String() }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop kills the process and its group, and waits for the end.
func (p *Process) Stop() {
	p.once.Do(func() { _ = syscall.Kill(-p.PID(), syscall.SIGKILL) })
	<-p.ended
}

// WaitOutput waits until the output contains the text, and says whether it did
// within the time and before the process ended.
func (p *Process) WaitOutput(text string, within time.Duration) bool {
	deadline := time.Now().Add(within)
	for !strings.Contains(p.Output(), text) {
		select {
		case <-p.ended:
			return strings.Contains(p.Output(), text)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// output is a buffer that may be read while the process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
