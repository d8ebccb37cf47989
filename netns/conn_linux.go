package netns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Conn is one route netlink socket. It belongs to the namespace of the thread
// that dialled it, for good, so it may be used after [Namespace.Do] has
// returned. Methods may not be called at the same time.
type Conn struct{ nl *netlink.Conn }

// Dial opens the socket in the calling thread's namespace.
func Dial() (*Conn, error) {
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, &Error{Op: "open a route netlink socket", Err: err}
	}
	// Lets the kernel filter dumps by protocol (Linux 4.20). Older ones send
	// everything, and decoding filters again.
	_ = nl.SetOption(netlink.GetStrictCheck, true)
	return &Conn{nl}, nil
}

// Dial opens a socket in the namespace.
func (n *Namespace) Dial() (c *Conn, err error) {
	err = n.Do(func() error {
		c, err = Dial()
		return err
	})
	return c, err
}

// Close closes the socket.
func (c *Conn) Close() error { return c.nl.Close() }

// limit gives every later exchange the deadline of ctx.
func (c *Conn) limit(ctx context.Context) error {
	deadline, _ := ctx.Deadline() // the zero time means none
	if err := c.nl.SetDeadline(deadline); err != nil {
		return &Error{Op: "set the deadline of a route netlink socket", Err: err}
	}
	return ctx.Err()
}

// do sends one request and waits for its acknowledgement.
func (c *Conn) do(kind uint16, flags netlink.HeaderFlags, body string) error {
	_, err := c.nl.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   []byte(body),
	})
	return err
}

// dump asks for all objects of a kind and returns their messages. Asking again
// heals a dump that was torn by a concurrent change.
func (c *Conn) dump(kind uint16, what, body string) ([]netlink.Message, error) {
	for try := 0; ; try++ {
		msgs, err := c.nl.Execute(netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Dump},
			Data:   []byte(body),
		})
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

// torn reports the flag that the kernel sets when the list changed under it.
func torn(msgs []netlink.Message) bool {
	for _, m := range msgs {
		if m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 {
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
