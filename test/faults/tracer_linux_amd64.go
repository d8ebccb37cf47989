package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Step is one system call that is about to happen.
type Step struct {
	Number int // from 0
	Call   string
	// Program is the base name of the program that makes it; Own says that it
	// is the one under test and no child of it.
	Program string
	Own     bool
}

// String is "12 iptables-restore sendmsg".
func (s Step) String() string { return fmt.Sprintf("%d %s %s", s.Number, s.Program, s.Call) }

// Action is what becomes of a step. The zero value lets it happen.
type Action struct {
	// Errno makes the system call fail without having happened.
	Errno syscall.Errno
	// Kill ends, by SIGKILL, the program under test, the program that makes the
	// step, or everything at once.
	Kill Victim
}

// Victim is who is killed.
type Victim int

// The victims.
const (
	Nobody Victim = iota
	Self          // the program under test; its children live on unless they notice
	Maker         // the program that makes the step
	All           // as when a container is killed
)

// tracer follows one program and its children. Linux ties it to its thread.
type tracer struct {
	root  int // process id of the program under test
	tasks map[int]*task
	at    func(Step) Action
	steps int
}

// task is one thread.
type task struct {
	pid     int // its process
	program string
	failing syscall.Errno // of the system call under way
}

// Trace starts the command, which must not be started yet, calls at before each
// of its steps, and waits until it and its children are gone. The error is that
// of the command, as of exec.Cmd.Wait. The calling goroutine's thread must not
// have other children.
func Trace(cmd *exec.Cmd, at func(Step) Action) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return err
	}
	t := &tracer{root: cmd.Process.Pid, tasks: map[int]*task{}, at: at}
	status, err := t.follow()
	if err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	_ = cmd.Wait() // reaped above; this ends the copying of its output
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	return &Ended{status}
}

// Ended is how the program under test ended.
type Ended struct{ Status syscall.WaitStatus }

// Error reads "exit code 1" or "killed by signal killed".
func (e *Ended) Error() string {
	if e.Status.Signaled() {
		return "killed by signal " + e.Status.Signal().String()
	}
	return fmt.Sprint("exit code ", e.Status.ExitStatus())
}

const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL

// follow runs everything from stop to stop. It waits for this thread's own
// children only: those of the rest of the process have their own waiters.
func (t *tracer) follow() (last syscall.WaitStatus, err error) {
	var s syscall.WaitStatus
	if _, err := syscall.Wait4(t.root, &s, syscall.WALL, nil); err != nil {
		return s, err
	}
	t.tasks[t.root] = t.task(t.root)
	if err := unix.PtraceSetOptions(t.root, options); err != nil {
		return s, err
	}
	t.resume(t.root, 0)
	for {
		tid, err := syscall.Wait4(-1, &s, syscall.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.ECHILD):
			return last, nil
		case err != nil:
			return last, err
		case s.Exited() || s.Signaled():
			delete(t.tasks, tid)
			if tid == t.root {
				last = s
			}
		case s.Stopped():
			t.stopped(tid, s)
		}
	}
}

func (t *tracer) stopped(tid int, s syscall.WaitStatus) {
	if t.tasks[tid] == nil {
		t.tasks[tid] = t.task(tid)
	}
	signal := s.StopSignal()
	switch signal {
	case syscall.SIGTRAP | 0x80:
		t.syscall(tid)
		signal = 0
	case syscall.SIGTRAP:
		if s.TrapCause() == unix.PTRACE_EVENT_EXEC {
			t.tasks[tid] = t.task(tid)
		}
		signal = 0
	case syscall.SIGSTOP:
		signal = 0 // how a new thread begins
	}
	t.resume(tid, signal)
}

// resume tolerates that the task was killed.
func (t *tracer) resume(tid int, signal syscall.Signal) { _ = unix.PtraceSyscall(tid, int(signal)) }

// syscallInfo is struct ptrace_syscall_info of linux/ptrace.h.
type syscallInfo struct {
	Op   uint8
	_    [3]byte
	Arch uint32
	_    [2]uint64 // instruction and stack pointer
	Nr   uint64
	Args [6]uint64
	_    uint64
}

const (
	ptraceGetSyscallInfo = 0x420e
	entering, leaving    = 1, 2
)

func (t *tracer) syscall(tid int) {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	k := t.tasks[tid]
	switch {
	case errno != 0: // killed meanwhile
	case info.Op == leaving && k.failing != 0:
		t.setResult(tid, k.failing)
		k.failing = 0
	case info.Op == entering:
		own := k.pid == t.root
		if name := effect(tid, own, info); name != "" {
			s := Step{t.steps, name, k.program, own}
			t.steps++
			t.carryOut(tid, k, t.at(s))
		}
	}
}

func (t *tracer) carryOut(tid int, k *task, a Action) {
	for _, other := range t.tasks {
		if a.Kill == All || a.Kill == Self && other.pid == t.root || a.Kill == Maker && other.pid == k.pid {
			_ = unix.Kill(other.pid, unix.SIGKILL)
		}
	}
	if a.Errno != 0 && a.Kill == Nobody {
		k.failing = a.Errno
		t.skip(tid)
	}
}

// skip makes the kernel find no system call of that number.
func (t *tracer) skip(tid int) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) == nil {
		regs.Orig_rax = ^uint64(0)
		_ = unix.PtraceSetRegs(tid, &regs)
	}
}

func (t *tracer) setResult(tid int, e syscall.Errno) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) == nil {
		regs.Rax = uint64(-int64(e))
		_ = unix.PtraceSetRegs(tid, &regs)
	}
}

// task reads what a thread is from /proc.
func (t *tracer) task(tid int) *task {
	k := &task{pid: tid}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "Tgid:"); ok {
			k.pid, _ = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", tid))
	path, _, _ := strings.Cut(string(arguments), "\x00")
	k.program = path[strings.LastIndex(path, "/")+1:]
	return k
}

// Changes says whether what stands outside of the program may be another after
// this step than before. The other steps only ask.
func (s Step) Changes() bool {
	switch s.Call {
	case "openat", "inotify_init1", "inotify_add_watch", "socket", "bind", "connect", "recvfrom", "recvmsg", "getdents64", "pipe2", "prctl", "write stdout", "write stderr":
		return false
	}
	return true
}
