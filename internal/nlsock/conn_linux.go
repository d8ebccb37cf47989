package nlsock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one socket. It belongs to the network namespace of the thread that
// opened it, for good, so it may be used from any thread. Its methods may not
// be called at the same time.
type Conn struct {
	fd int
	in []byte
}

const (
	// patience bounds the wait for an answer where the context does not.
	patience = 10 * time.Second
	// recvSize holds the largest datagram of a dump (netlink_dump in
	// net/netlink/af_netlink.c).
	recvSize = 32 << 10
)

// Open opens a socket of a netlink family, such as unix.NETLINK_ROUTE, in the
// calling thread's network namespace, with options of it where the kernel has
// them.
func Open(family int, options ...int) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, family)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	for _, o := range options {
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, o, 1)
	}
	return &Conn{fd: fd}, nil
}

// FD is the socket's descriptor, which stays the Conn's.
func (c *Conn) FD() int { return c.fd }

// Close closes the socket.
func (c *Conn) Close() error { return os.NewSyscallError("close", unix.Close(c.fd)) }

// Limit bounds every later wait for an answer by the time that ctx has left, or
// by ten seconds.
func (c *Conn) Limit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	left := patience
	if deadline, ok := ctx.Deadline(); ok {
		if left = time.Until(deadline); left <= 0 { // the runtime's timer may be late while this thread is busy
			return context.DeadlineExceeded
		}
		left = max(left, time.Millisecond)
	}
	tv := unix.NsecToTimeval(left.Nanoseconds())
	return os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
}

// Send sends messages to the kernel as one datagram.
func (c *Conn) Send(data []byte) error {
	return lost("send to", unix.Sendto(c.fd, data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// lost hides the number: why a question or its answer was lost must not be
// taken for the kernel's answer, which comes in a message.
func lost(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + " the kernel: " + err.Error())
}

// Receive calls visit for the messages that arrive until it says that it is
// done. Without an answer in time the error is a context.DeadlineExceeded.
func (c *Conn) Receive(visit func(Message) (done bool, err error)) error {
	for {
		data, err := c.datagram()
		if err != nil {
			return err
		}
		for len(data) >= headerSize {
			var m Message
			if m, data, err = cut(data); err != nil {
				return err
			}
			if done, err := visit(m); done || err != nil {
				return err
			}
		}
	}
}

// datagram returns the next datagram. It is overwritten by the next call.
func (c *Conn) datagram() ([]byte, error) {
	if c.in == nil {
		c.in = make([]byte, recvSize)
	}
	for {
		n, _, err := unix.Recvfrom(c.fd, c.in, unix.MSG_TRUNC)
		switch {
		case err == unix.EINTR, err == unix.ENOBUFS:
			continue // ENOBUFS: further errors of one batch did not fit, the first ones did
		case err == unix.EAGAIN:
			return nil, fmt.Errorf("no answer from the kernel: %w", context.DeadlineExceeded)
		case err != nil:
			return nil, lost("receive from", err)
		case n > len(c.in):
			return nil, errors.New("the kernel's answer is longer than any should be")
		}
		return c.in[:n], nil
	}
}
