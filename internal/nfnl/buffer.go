package nfnl

import "encoding/binary"

// headerLen is struct nlmsghdr and struct nfgenmsg together.
const headerLen = 16 + 4

// Flags of a request (include/uapi/linux/netlink.h).
const (
	FlagRequest uint16 = 0x1
	FlagAck     uint16 = 0x4
	FlagDump    uint16 = 0x300
	FlagExcl    uint16 = 0x200
	FlagCreate  uint16 = 0x400
	FlagAppend  uint16 = 0x800
)

const nested uint16 = 0x8000 // NLA_F_NESTED

// Buffer holds netlink messages one behind the other. The zero value is empty
// and ready. Numbers are in host order in headers, and written by the attribute
// methods in network order, as nfnetlink wants them.
type Buffer struct {
	data  []byte
	start []int // where each message begins
}

// Grow makes room for n more bytes.
func (b *Buffer) Grow(n int) {
	if cap(b.data)-len(b.data) < n {
		b.data = append(make([]byte, 0, len(b.data)+n), b.data...)
	}
}

// Len is the size in bytes.
func (b *Buffer) Len() int { return len(b.data) }

// Messages is the number of messages.
func (b *Buffer) Messages() int { return len(b.start) }

// Message begins a message, which ends where the next one begins. kind is the
// subsystem in the high byte and its message in the low one; resource is the
// last field of struct nfgenmsg, 0 for most.
func (b *Buffer) Message(kind, flags uint16, family uint8, resource uint16) {
	b.end()
	b.start = append(b.start, len(b.data))
	b.data = append(b.data, 0, 0, 0, 0)
	b.data = binary.NativeEndian.AppendUint16(b.data, kind)
	b.data = binary.NativeEndian.AppendUint16(b.data, flags|FlagRequest)
	b.data = append(b.data, 0, 0, 0, 0, 0, 0, 0, 0, family, 0)
	b.data = binary.BigEndian.AppendUint16(b.data, resource)
}

// end writes the length of the message begun last.
func (b *Buffer) end() {
	if n := len(b.start); n > 0 {
		at := b.start[n-1]
		binary.NativeEndian.PutUint32(b.data[at:], uint32(len(b.data)-at))
	}
}

// number gives the messages the sequence numbers from first on, and the last
// one the request for an acknowledgement.
func (b *Buffer) number(first uint32, ack int) {
	b.end()
	for i, at := range b.start {
		binary.NativeEndian.PutUint32(b.data[at+8:], first+uint32(i))
		if i == ack {
			b.data[at+6] |= byte(FlagAck)
		}
	}
}

// Raw writes an attribute.
func (b *Buffer) Raw(kind uint16, value []byte) {
	b.header(kind, len(value))
	b.data = append(b.data, value...)
	b.pad()
}

// String writes an attribute with a closing zero byte.
func (b *Buffer) String(kind uint16, value string) {
	b.header(kind, len(value)+1)
	b.data = append(b.data, value...)
	b.data = append(b.data, 0)
	b.pad()
}

// Text writes an attribute without a closing zero byte.
func (b *Buffer) Text(kind uint16, value string) {
	b.header(kind, len(value))
	b.data = append(b.data, value...)
	b.pad()
}

// Uint8 writes an attribute.
func (b *Buffer) Uint8(kind uint16, value uint8) {
	b.header(kind, 1)
	b.data = append(b.data, value)
	b.pad()
}

// Uint32 writes an attribute in network order.
func (b *Buffer) Uint32(kind uint16, value uint32) {
	b.header(kind, 4)
	b.data = binary.BigEndian.AppendUint32(b.data, value)
}

// Open begins an attribute that holds attributes. Close ends it.
func (b *Buffer) Open(kind uint16) (at int) {
	at = len(b.data)
	b.header(kind|nested, 0)
	return at
}

// Close ends the attribute that Open returned. The kernel's limit of 65,535
// bytes is the caller's care; Room tells.
func (b *Buffer) Close(at int) {
	binary.NativeEndian.PutUint16(b.data[at:], uint16(len(b.data)-at))
}

// Room says how many bytes still fit into the attribute that Open returned.
func (b *Buffer) Room(at int) int { return 1<<16 - 1 - (len(b.data) - at) }

func (b *Buffer) header(kind uint16, size int) {
	b.data = binary.NativeEndian.AppendUint16(b.data, uint16(4+size))
	b.data = binary.NativeEndian.AppendUint16(b.data, kind)
}

func (b *Buffer) pad() {
	for len(b.data)%4 != 0 {
		b.data = append(b.data, 0)
	}
}

// Body returns what the i-th message holds behind its headers.
func (b *Buffer) Body(i int) []byte {
	b.end()
	to := len(b.data)
	if i+1 < len(b.start) {
		to = b.start[i+1]
	}
	return b.data[b.start[i]+headerLen : to]
}

// Bytes are the messages. They are valid until the next one begins.
func (b *Buffer) Bytes() []byte {
	b.end()
	return b.data
}
