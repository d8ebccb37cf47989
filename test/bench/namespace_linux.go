package main

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// inFresh calls do on a thread in a network namespace of its own, with lo up.
// The thread and the namespace end with it.
func inFresh(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		done <- func() error {
			_ = goFirst() // refused: the medians are just noisier
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := loUp(); err != nil {
				return err
			}
			return do()
		}()
	}()
	return <-done
}

// goFirst gives the thread, and what it starts, precedence over everything that
// has ordinary priority. On a busy machine one would measure the waiting else.
func goFirst() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 10}, 0)
}

// loUp sets lo up by ioctl: no process of the benchmark's own runs inside.
func loUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// quietly runs a command and shows what it said if it fails.
func quietly(argv []string) error {
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return &commandError{argv, out, err}
	}
	return nil
}
