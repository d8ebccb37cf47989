package nfnl

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nlsock"
)

// Conn is one netlink socket. It belongs to the network namespace of the thread
// that opened it, for good, so it may be used from any thread. Its methods may
// not be called at the same time.
type Conn struct {
	sock *nlsock.Conn
	seq  uint32
	room int // of the send buffer, in bytes
}

// Open opens a socket in the calling thread's network namespace.
func Open() (*Conn, error) {
	// Both are there since Linux 4.12: errors name the attribute, and do not
	// repeat the message. Without them errors only say less.
	sock, err := nlsock.Open(unix.NETLINK_NETFILTER, unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK)
	if err != nil {
		return nil, fmt.Errorf("open a netfilter netlink socket: %w", err)
	}
	room, _ := unix.GetsockoptInt(sock.FD(), unix.SOL_SOCKET, unix.SO_SNDBUF)
	return &Conn{sock: sock, seq: 1, room: room}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.sock.Close() }

// send numbers the messages, asks for an acknowledgement of the one with the
// number ack, or of none if that is -1, and sends them as one.
func (c *Conn) send(ctx context.Context, b *Buffer, ack int) (first uint32, err error) {
	if err := c.sock.Limit(ctx); err != nil {
		return 0, err
	}
	first = c.seq
	c.seq += uint32(b.Messages())
	b.number(first, ack)
	if err := c.makeRoom(b.Len()); err != nil {
		return 0, err
	}
	return first, c.sock.Send(b.data)
}

// makeRoom widens the send buffer: netlink takes a message only if it fits in
// whole, less 32 bytes (net/netlink/af_netlink.c, netlink_sendmsg).
func (c *Conn) makeRoom(size int) error {
	if size <= c.room-32 {
		return nil
	}
	if unix.SetsockoptInt(c.sock.FD(), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size+32) != nil {
		_ = unix.SetsockoptInt(c.sock.FD(), unix.SOL_SOCKET, unix.SO_SNDBUF, size+32)
	}
	c.room, _ = unix.GetsockoptInt(c.sock.FD(), unix.SOL_SOCKET, unix.SO_SNDBUF)
	if size > c.room-32 {
		return &TooLongError{Size: size, Limit: c.room - 32}
	}
	return nil
}

// answer is one message from the kernel.
type answer struct {
	nlsock.Message
	family uint8
	body   []byte // behind struct nfgenmsg, or behind struct nlmsghdr for control messages
}

// answers calls visit for the messages that arrive until it says it is done.
func (c *Conn) answers(visit func(answer) (done bool, err error)) error {
	return c.sock.Receive(func(m nlsock.Message) (bool, error) { return visit(parseAnswer(m)) })
}

func parseAnswer(m nlsock.Message) answer {
	a := answer{Message: m, body: m.Body}
	if m.Kind >= unix.NLMSG_MIN_TYPE && len(a.body) >= 4 {
		a.family, a.body = a.body[0], a.body[4:]
	}
	return a
}
