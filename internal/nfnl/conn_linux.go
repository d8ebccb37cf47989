package nfnl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one netlink socket. It belongs to the network namespace of the thread
// that opened it, for good, so it may be used from any thread. Its methods may
// not be called at the same time.
type Conn struct {
	fd   int
	seq  uint32
	room int // of the send buffer, in bytes
	in   []byte
}

const (
	recvSize = 32 << 10 // the kernel never puts more into one datagram of a dump
	patience = 10 * time.Second
	retries  = 20 // of a dump during which the rules changed
)

// Open opens a socket in the calling thread's network namespace.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, os.NewSyscallError("open a netfilter netlink socket", err)
	}
	// Both are there since Linux 4.12: errors name the attribute, and do not
	// repeat the message. Without them errors only say less.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	room, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	return &Conn{fd: fd, seq: 1, room: room}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return os.NewSyscallError("close", unix.Close(c.fd)) }

// limit bounds every wait by the context's deadline.
func (c *Conn) limit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	left := patience
	if deadline, ok := ctx.Deadline(); ok {
		left = max(time.Millisecond, time.Until(deadline))
	}
	tv := unix.NsecToTimeval(left.Nanoseconds())
	return os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
}

// send numbers the messages, asks for an acknowledgement of the one with the
// number ack, or of none if that is -1, and sends them as one.
func (c *Conn) send(ctx context.Context, b *Buffer, ack int) (first uint32, err error) {
	if err := c.limit(ctx); err != nil {
		return 0, err
	}
	first = c.seq
	c.seq += uint32(b.Messages())
	b.number(first, ack)
	if err := c.makeRoom(b.Len()); err != nil {
		return 0, err
	}
	if err := unix.Sendto(c.fd, b.data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return first, lost("send to", err)
	}
	return first, nil
}

// lost hides the number: why a question or its answer was lost must not be
// taken for the kernel's answer, which comes in a message.
func lost(what string, err error) error { return errors.New(what + " netfilter: " + err.Error()) }

// makeRoom widens the send buffer: netlink takes a message only if it fits in
// whole, less 32 bytes (net/netlink/af_netlink.c, netlink_sendmsg).
func (c *Conn) makeRoom(size int) error {
	if size <= c.room-32 {
		return nil
	}
	if unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size+32) != nil {
		_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size+32)
	}
	c.room, _ = unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if size > c.room-32 {
		return &TooLongError{Size: size, Limit: c.room - 32}
	}
	return nil
}

// receive returns the next datagram. It is overwritten by the next call.
func (c *Conn) receive() ([]byte, error) {
	if c.in == nil {
		c.in = make([]byte, recvSize)
	}
	for {
		n, _, err := unix.Recvfrom(c.fd, c.in, 0)
		switch {
		case err == unix.EINTR, err == unix.ENOBUFS:
			continue // ENOBUFS: further errors of one batch did not fit, the first ones did
		case err == unix.EAGAIN:
			return nil, fmt.Errorf("no answer from netfilter: %w", os.ErrDeadlineExceeded)
		case err != nil:
			return nil, lost("receive from", err)
		}
		return c.in[:n], nil
	}
}

// answer is one message from the kernel.
type answer struct {
	kind, flags uint16
	seq         uint32
	family      uint8
	body        []byte // behind struct nfgenmsg, or behind struct nlmsghdr for control messages
}

// answers calls visit for the messages that arrive until it says it is done.
func (c *Conn) answers(visit func(answer) (done bool, err error)) error {
	for {
		data, err := c.receive()
		if err != nil {
			return err
		}
		for len(data) >= 16 {
			n := int(binary.NativeEndian.Uint32(data))
			if n < 16 || n > len(data) {
				return errors.New("netfilter sent a message of a wrong length")
			}
			if done, err := visit(parseAnswer(data[:n])); done || err != nil {
				return err
			}
			data = data[min((n+3)&^3, len(data)):]
		}
	}
}

func parseAnswer(data []byte) answer {
	a := answer{
		kind: binary.NativeEndian.Uint16(data[4:]), flags: binary.NativeEndian.Uint16(data[6:]),
		seq: binary.NativeEndian.Uint32(data[8:]), body: data[16:],
	}
	if a.kind >= unix.NLMSG_MIN_TYPE && len(a.body) >= 4 {
		a.family, a.body = a.body[0], a.body[4:]
	}
	return a
}
