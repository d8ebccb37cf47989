package netns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one route netlink socket. It belongs to the namespace of the thread
// that dialled it, for good, so it may be used after [Namespace.Do] has
// returned. Methods may not be called at the same time.
//
// The socket blocks. The kernel answers a request before sendto returns, so
// there is nothing to wait for, and a poller would cost several thread switches
// for each answer: measured on a locked thread, five times the whole.
type Conn struct {
	fd  int
	seq uint32
	buf []byte
}

var (
	native  = binary.NativeEndian
	errLong = errors.New("the kernel's answer is longer than any should be")
)

// answerSize holds the largest datagram of a dump, 32 KiB (netlink_dump in
// net/netlink/af_netlink.c).
const answerSize = 32 << 10

// Dial opens the socket in the calling thread's namespace.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, &Error{Op: "open a route netlink socket", Err: err}
	}
	// Refuses what the kernel would else ignore (Linux 4.20); older kernels
	// refuse the option instead, and work without.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return &Conn{fd: fd, buf: make([]byte, answerSize)}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// limit gives every later answer the time that ctx has left.
func (c *Conn) limit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var left unix.Timeval // zero means no limit
	if deadline, ok := ctx.Deadline(); ok {
		left = unix.NsecToTimeval(max(int64(time.Until(deadline)), int64(time.Microsecond)))
	}
	return unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &left)
}

// do sends one request and waits for its acknowledgement.
func (c *Conn) do(kind, flags uint16, body string) error {
	_, err := c.exchange(kind, unix.NLM_F_ACK|flags, body)
	return err
}

// dump asks for all objects of a kind and returns their messages. Asking again
// heals a dump that was torn by a concurrent change.
func (c *Conn) dump(kind uint16, what, body string) ([]message, error) {
	for try := 0; ; try++ {
		msgs, err := c.exchange(kind, unix.NLM_F_DUMP, body)
		switch {
		case err == nil && !torn(msgs):
			return msgs, nil
		case notThere(err):
			return nil, nil
		case err != nil || try == 9:
			return nil, &Error{Op: "list " + what, Err: orTorn(err)}
		}
		time.Sleep(time.Millisecond)
	}
}

// message is one netlink message without its header.
type message struct {
	Flags uint16
	Data  []byte
}

const headerSize = unix.SizeofNlMsghdr

// exchange sends a request and collects what comes back until its end: an
// acknowledgement, an error, or the end of a dump.
func (c *Conn) exchange(kind, flags uint16, body string) ([]message, error) {
	c.seq++
	req := make([]byte, headerSize, headerSize+len(body))
	native.PutUint32(req[0:], uint32(headerSize+len(body)))
	native.PutUint16(req[4:], kind)
	native.PutUint16(req[6:], unix.NLM_F_REQUEST|flags)
	native.PutUint32(req[8:], c.seq)
	if err := unix.Sendto(c.fd, append(req, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var msgs []message
	for {
		data, err := c.receive()
		if err != nil {
			return nil, err
		}
		done, err := c.collect(data, &msgs)
		if done || err != nil {
			return msgs, err
		}
	}
}

// receive returns the next datagram, in memory of its own.
func (c *Conn) receive() ([]byte, error) {
	for {
		n, _, flags, _, err := unix.Recvmsg(c.fd, c.buf, nil, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, context.DeadlineExceeded
		case err == nil && flags&unix.MSG_TRUNC != 0:
			return nil, errLong
		}
		return bytes.Clone(c.buf[:max(n, 0)]), err
	}
}

// collect cuts a datagram into messages. Those of an earlier request, given up
// at its deadline, are passed over.
func (c *Conn) collect(data []byte, msgs *[]message) (done bool, err error) {
	for len(data) >= headerSize {
		size := int(native.Uint32(data))
		if size < headerSize || size > len(data) {
			return true, errShort
		}
		kind, flags, seq, body := native.Uint16(data[4:]), native.Uint16(data[6:]), native.Uint32(data[8:]), data[headerSize:size]
		data = data[min((size+3)&^3, len(data)):]
		switch {
		case seq != c.seq:
		case kind == unix.NLMSG_ERROR || kind == unix.NLMSG_DONE:
			return true, status(body)
		default:
			*msgs = append(*msgs, message{flags, body})
		}
	}
	return false, nil
}

// status is the error number that ends an exchange, negative or zero.
func status(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	if n := int32(native.Uint32(body)); n != 0 {
		return unix.Errno(-n)
	}
	return nil
}

// torn reports the flag that the kernel sets when the list changed under it.
func torn(msgs []message) bool {
	for _, m := range msgs {
		if m.Flags&unix.NLM_F_DUMP_INTR != 0 {
			return true
		}
	}
	return false
}

func orTorn(err error) error {
	if err == nil {
		return errors.New("it changes faster than it can be read")
	}
	return err
}

// notThere reports the answers of a kernel without the family (ipv6.disable=1)
// or without policy routing: there is nothing to list.
func notThere(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)
}

// applyHint explains what the kernel's answers mean here.
func applyHint(err error) string {
	for _, h := range []struct {
		errno unix.Errno
		hint  string
	}{
		{unix.EPERM, "this takes CAP_NET_ADMIN in the user namespace that owns the network namespace"},
		{unix.EACCES, "IPv6 is switched off on the interface: net.ipv6.conf.lo.disable_ipv6"},
		{unix.ENETDOWN, "lo is down: ip link set lo up"},
		{unix.EAFNOSUPPORT, "the kernel was started without this family"},
		{unix.EEXIST, "somebody else's is there: for TPROXY, choose another routing table (-r)"},
		{unix.EOPNOTSUPP, "the kernel has no policy routing: CONFIG_IP_MULTIPLE_TABLES"},
	} {
		if errors.Is(err, h.errno) {
			return h.hint
		}
	}
	return ""
}

// at names a malformed message of the kernel.
func at(what string, err error) error {
	return &Error{Op: "read " + what + " from the kernel", Err: fmt.Errorf("unexpected message: %w", err)}
}
