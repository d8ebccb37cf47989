package cni

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Input reads a descriptor to its end. A read that gets nothing until Within
// has passed since the first one fails with os.ErrDeadlineExceeded. It asks the
// kernel itself: a goroutine and a timer beside the read are a tenth of what a
// call takes that has nothing to do.
type Input struct {
	FD     int
	Within time.Duration
	until  time.Time
}

func (i *Input) Read(p []byte) (int, error) {
	if i.until.IsZero() {
		i.until = time.Now().Add(i.Within)
	}
	for {
		left := time.Until(i.until)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(i.FD), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if n > 0 {
			n, err = unix.Read(i.FD, p)
			switch {
			case err == nil && n == 0:
				return 0, io.EOF
			case err == nil:
				return n, nil
			}
		}
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return 0, os.NewSyscallError("read", err)
		}
	}
}
