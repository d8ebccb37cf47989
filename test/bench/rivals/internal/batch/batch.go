// Package batch sends an encoded nf_tables transaction and reads rules back,
// with nothing in between. Whatever goes wrong is a panic: these are programs to
// compare with, not to use.
package batch

import (
	"bytes"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// Apply sends the messages of a file in one transaction, and compares what it
// reads back with the listing of another.
func Apply(messages, listing string) {
	want, err := os.ReadFile(listing)
	check(err)
	if !bytes.Equal(exchange(messages), want) {
		panic("the rules read back differ")
	}
}

// Record is Apply that writes the listing.
func Record(messages, listing string) {
	check(os.WriteFile(listing, exchange(messages), 0o644))
}

func exchange(messages string) []byte {
	text, err := os.ReadFile(messages)
	check(err)
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	check(err)
	send(fd, framed(text))
	if n := receive(fd, make([]byte, 1<<16)); binary.NativeEndian.Uint32(n[16:]) != 0 {
		panic("refused")
	}
	return append(dump(fd, unix.NFT_MSG_GETCHAIN), dump(fd, unix.NFT_MSG_GETRULE)...)
}

// framed puts the messages between the marks of a batch and asks for an
// acknowledgement of the last one.
func framed(messages []byte) []byte {
	last := 0
	for at := 0; at < len(messages); at += int(binary.NativeEndian.Uint32(messages[at:])) {
		last = at
	}
	messages[last+6] |= unix.NLM_F_ACK
	mark := func(kind uint16) []byte {
		b := binary.NativeEndian.AppendUint32(nil, 20)
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
		b = append(b, make([]byte, 10)...)
		return binary.BigEndian.AppendUint16(b, unix.NFNL_SUBSYS_NFTABLES)
	}
	return append(append(mark(unix.NFNL_MSG_BATCH_BEGIN), messages...), mark(unix.NFNL_MSG_BATCH_END)...)
}

// dump returns the bodies of all messages of a listing.
func dump(fd int, kind uint16) []byte {
	b := binary.NativeEndian.AppendUint32(nil, 20)
	b = binary.NativeEndian.AppendUint16(b, unix.NFNL_SUBSYS_NFTABLES<<8|kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	send(fd, append(b, make([]byte, 12)...))
	var all []byte
	room := make([]byte, 1<<16)
	for {
		for data := receive(fd, room); len(data) >= 16; {
			n := int(binary.NativeEndian.Uint32(data))
			if binary.NativeEndian.Uint16(data[4:]) == unix.NLMSG_DONE {
				return all
			}
			all = append(all, data[20:n]...)
			data = data[n:]
		}
	}
}

func send(fd int, data []byte) {
	check(unix.Sendto(fd, data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

func receive(fd int, room []byte) []byte {
	n, _, err := unix.Recvfrom(fd, room, 0)
	check(err)
	return room[:n]
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
