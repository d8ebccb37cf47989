package nlsock

import (
	"encoding/binary"
	"errors"
	"time"
)

// Message is one netlink message (struct nlmsghdr and what follows).
type Message struct {
	Kind, Flags uint16
	Seq         uint32
	// Body is behind the header. It is overwritten when the next datagram is
	// received.
	Body []byte
}

const headerSize = 16

// cut takes the first message off a datagram of at least a header's length.
func cut(data []byte) (m Message, rest []byte, err error) {
	size := int(binary.NativeEndian.Uint32(data))
	if size < headerSize || size > len(data) {
		return m, nil, errors.New("the kernel sent a message of a wrong length")
	}
	m = Message{
		Kind: binary.NativeEndian.Uint16(data[4:]), Flags: binary.NativeEndian.Uint16(data[6:]),
		Seq: binary.NativeEndian.Uint32(data[8:]), Body: data[headerSize:size],
	}
	return m, data[min((size+3)&^3, len(data)):], nil
}

// Whole asks for a dump until it is whole: one that a concurrent change has torn
// is asked for again, at most 20 times.
func Whole(ask func() (torn bool, err error)) error {
	for range 20 {
		if torn, err := ask(); err != nil || !torn {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("the list changes faster than it can be read")
}
