package xtables

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// LockPath is the file that is locked: the network namespace itself, of the
// calling thread. Processes in one pod share it, pods do not, and it is there
// with a read-only root. Other tools take part with XTABLES_LOCKFILE=/proc/self/ns/net.
const LockPath = "/proc/thread-self/ns/net"

const lockPoll = 5 * time.Millisecond

// Lock makes the caller the only writer in the calling thread's network
// namespace until release is called or the process dies. It waits at most wait,
// or until ctx ends; then the error's kind is Busy. Hold it from Look to the end
// of Apply. It is not reentrant.
func Lock(ctx context.Context, wait time.Duration) (release func(), err error) {
	fd, err := unix.Open(LockPath, unix.O_RDONLY|unix.O_CLOEXEC, 0) // os.Open would start the poller
	if err != nil {
		return nil, &Error{Op: "lock the network namespace", Err: err}
	}
	start := time.Now()
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = unix.Close(fd) }, nil
		}
		busy := errors.Is(err, unix.EWOULDBLOCK)
		if !busy && !errors.Is(err, unix.EINTR) || time.Since(start) > wait || ctx.Err() != nil {
			_ = unix.Close(fd)
			return nil, lockError(err, busy, time.Since(start), ctx.Err())
		}
		time.Sleep(lockPoll)
	}
}

func lockError(err error, busy bool, waited time.Duration, ended error) error {
	e := &Error{Op: "lock the network namespace", Err: err}
	if busy {
		e.Kind = Busy
		e.Words = fmt.Sprintf("another process has held the lock for %s", waited.Round(time.Millisecond))
		e.Hint = "it is programming this namespace: try again"
	}
	if ended != nil {
		e.Err = ended
	}
	return e
}
