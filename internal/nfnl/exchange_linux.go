package nfnl

import (
	"context"
	"encoding/binary"
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nlsock"
)

// Request sends the one message of b and shows visit the answers to it. The
// message is acknowledged by the kernel; a refusal is an [*Error].
func (c *Conn) Request(ctx context.Context, b *Buffer, visit func(body []byte)) error {
	first, err := c.send(ctx, b, 0)
	if err != nil {
		return err
	}
	return c.answers(func(a answer) (bool, error) {
		switch {
		case a.Seq != first:
			return false, nil
		case a.Kind == unix.NLMSG_ERROR:
			return true, refusal(a, first)
		}
		if visit != nil {
			visit(a.body)
		}
		return false, nil
	})
}

// Dump asks for all objects of a kind and shows visit each one: the family of
// its message, and its attributes, which are overwritten later. A dump during
// which the rules changed is asked for again: before that, restart is called.
func (c *Conn) Dump(ctx context.Context, b *Buffer, restart func(), visit func(family uint8, body []byte)) error {
	return nlsock.Whole(func() (torn bool, err error) {
		restart()
		return c.dump(ctx, b, visit)
	})
}

func (c *Conn) dump(ctx context.Context, b *Buffer, visit func(uint8, []byte)) (torn bool, err error) {
	first, err := c.send(ctx, b, -1)
	if err != nil {
		return false, err
	}
	err = c.answers(func(a answer) (bool, error) {
		if a.Seq != first {
			return false, nil
		}
		torn = torn || a.Flags&unix.NLM_F_DUMP_INTR != 0
		switch a.Kind {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			return true, refusal(a, first)
		}
		visit(a.family, a.body)
		return false, nil
	})
	return torn, err
}

// Batch sends the messages of b as one transaction of a subsystem: all of them
// or none. It is refused with [ErrChanged] if the subsystem's generation is not
// the given one; 0 asks for none. Any other refusal is an [*Error] that names
// the first message that failed.
func (c *Conn) Batch(ctx context.Context, subsystem uint16, generation uint32, b *Buffer) error {
	framed := frame(subsystem, generation, b)
	last := b.Messages() // behind the opening one
	first, err := c.send(ctx, framed, last)
	if err != nil {
		return err
	}
	var refused error
	err = c.answers(func(a answer) (bool, error) {
		at := int(a.Seq - first)
		if a.Kind != unix.NLMSG_ERROR || at < 0 || at > last {
			return false, nil
		}
		if refused == nil {
			refused = refusal(a, first+1)
		}
		return at == 0 || at == last, nil
	})
	if errors.Is(refused, unix.ERESTART) {
		return ErrChanged
	}
	return errors.Join(err, refused)
}

// frame puts the messages between the marks of a transaction.
func frame(subsystem uint16, generation uint32, b *Buffer) *Buffer {
	f := &Buffer{start: make([]int, 0, len(b.start)+2)}
	f.Grow(len(b.data) + 80)
	f.Message(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, subsystem)
	if generation != 0 {
		f.Uint32(unix.NFNL_BATCH_GENID, generation)
	}
	f.end()
	b.end()
	shift := len(f.data)
	f.data = append(f.data, b.data...)
	for _, at := range b.start {
		f.start = append(f.start, at+shift)
	}
	f.Message(unix.NFNL_MSG_BATCH_END, 0, 0, subsystem)
	return f
}

// refusal reads an acknowledgement: nil, or what the kernel says against the
// message, whose number counts from the one with the sequence number first.
func refusal(a answer, first uint32) error {
	if len(a.body) < 4 {
		return nil
	}
	code := int32(binary.NativeEndian.Uint32(a.body))
	if code >= 0 {
		return nil
	}
	e := &Error{Message: int(int32(a.Seq - first)), Errno: syscall.Errno(-code), Offset: -1}
	if a.Kind == unix.NLMSG_ERROR && len(a.body) > 20 && a.Flags&unix.NLM_F_ACK_TLVS != 0 {
		e.explain(a)
	}
	return e
}

// explain reads the attributes behind an error (NLMSGERR_ATTR_…). They follow
// the header of the refused message, which is all that is repeated of it.
func (e *Error) explain(a answer) {
	rest := a.body[20:]
	if a.Flags&unix.NLM_F_CAPPED == 0 {
		size := int(binary.NativeEndian.Uint32(a.body[4:])+3)&^3 + 4
		rest = a.body[min(size, len(a.body)):]
	}
	for kind, value := range Attrs(rest) {
		switch kind {
		case unix.NLMSGERR_ATTR_MSG:
			e.Text = String(value)
		case unix.NLMSGERR_ATTR_OFFS:
			if len(value) == 4 {
				e.Offset = int(binary.NativeEndian.Uint32(value)) - headerLen
			}
		}
	}
}
