package netns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nlsock"
)

// Conn is one route netlink socket. It belongs to the namespace of the thread
// that dialled it, for good, so it may be used after [Namespace.Do] has
// returned. Methods may not be called at the same time.
type Conn struct {
	sock *nlsock.Conn
	seq  uint32
}

var native = binary.NativeEndian

// Dial opens the socket in the calling thread's namespace.
func Dial() (*Conn, error) {
	// The option refuses what the kernel would else ignore (Linux 4.20); older
	// kernels refuse the option instead, and work without.
	sock, err := nlsock.Open(unix.NETLINK_ROUTE, unix.NETLINK_GET_STRICT_CHK)
	if err != nil {
		return nil, &Error{Op: "open a route netlink socket", Err: err}
	}
	return &Conn{sock: sock}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.sock.Close() }

// do sends one request and waits for its acknowledgement.
func (c *Conn) do(kind, flags uint16, body string) error {
	_, err := c.exchange(kind, unix.NLM_F_ACK|flags, body)
	return err
}

// dump asks for all objects of a kind and returns their messages. Asking again
// heals a dump that was torn by a concurrent change.
func (c *Conn) dump(kind uint16, what, body string) (msgs []message, err error) {
	err = nlsock.Whole(func() (bool, error) {
		msgs, err = c.exchange(kind, unix.NLM_F_DUMP, body)
		return torn(msgs), err
	})
	switch {
	case notThere(err):
		return nil, nil
	case err != nil:
		return nil, &Error{Op: "list " + what, Err: err}
	}
	return msgs, nil
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
	if err := c.sock.Send(append(req, body...)); err != nil {
		return nil, err
	}
	var msgs []message
	err := c.sock.Receive(func(m nlsock.Message) (done bool, err error) { return c.collect(m, &msgs) })
	return msgs, err
}

// collect keeps a message, and says whether it is the last. Those of an earlier
// request, given up at its deadline, are passed over.
func (c *Conn) collect(m nlsock.Message, msgs *[]message) (done bool, err error) {
	switch {
	case m.Seq != c.seq:
		return false, nil
	case m.Kind == unix.NLMSG_ERROR || m.Kind == unix.NLMSG_DONE:
		return true, status(m.Body)
	}
	*msgs = append(*msgs, message{m.Flags, bytes.Clone(m.Body)})
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
