package validation

import (
	"encoding/binary"
	"net/netip"

	"github.com/sluicemesh/sluice/iptables"
)

// TCP flags.
const (
	flagSYN = 0x02
	flagACK = 0x10
)

// segment is the transport part of a probe's packet. The tag is its sequence
// number, or the payload of a datagram, by which it is recognised. The checksum
// is wrong unless it is to be right: a wrong one keeps anybody from answering.
func segment(p iptables.Packet, tag uint32, right bool) []byte {
	b := make([]byte, headerOf(p))
	at := 16
	binary.BigEndian.PutUint16(b[0:], uint16(p.SrcPort))
	binary.BigEndian.PutUint16(b[2:], uint16(p.DstPort))
	if p.Protocol == iptables.ProtoUDP {
		b, at = b[:12], 6
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		binary.BigEndian.PutUint32(b[8:], tag)
	} else {
		binary.BigEndian.PutUint32(b[4:], tag)
		b[12], b[13] = byte(len(b)/4)<<4, flagSYN
		if p.State == iptables.StateInvalid {
			b[13] = 0 // no flag at all
		}
		for i := 20; i < len(b); i++ {
			b[i] = 1 // the option that does nothing
		}
		binary.BigEndian.PutUint16(b[14:], 64240)
		if p.Reply {
			b[13] |= flagACK
			binary.BigEndian.PutUint32(b[8:], tag) // the tag behind that of the call it answers
		}
	}
	sum := checksum(p, b)
	if !right {
		sum ^= 0x5555
	}
	if sum == 0 { // no checksum at all, to UDP
		sum = 0x1234
	}
	binary.BigEndian.PutUint16(b[at:], sum)
	return b
}

// What arrives travels in two fragments. The first holds the whole fixed header,
// and the second does not start at 8: iptables drops what breaks either rule
// (net/netfilter/xt_tcpudp.c).
const (
	plainHeader   = 20
	longHeader    = 32
	firstFragment = 24
)

func headerOf(p iptables.Packet) int {
	if p.Out == "" {
		return longHeader
	}
	return plainHeader
}

// checksum is RFC 9293's and RFC 768's, over the pseudo header of the family.
func checksum(p iptables.Packet, b []byte) uint16 {
	sum := uint32(len(b)) + uint32(p.Protocol)
	for _, part := range [][]byte{p.Src.AsSlice(), p.Dst.AsSlice(), b} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// moreFragments is the flag in the fragment field of an IPv4 header.
const moreFragments = 0x2000

// datagram puts a header before a payload. The time to live is 0: nobody
// between this host's rules and its sockets looks at it.
func datagram(p iptables.Packet, payload []byte, id, fragment uint16) []byte {
	if p.Family() == iptables.V6 {
		b := make([]byte, 8, 40+len(payload))
		b[0] = 6 << 4
		binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
		b[6] = p.Protocol
		return append(addresses(b, p), payload...)
	}
	b := make([]byte, 12, 20+len(payload))
	b[0] = 4<<4 | 5
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload))) // the kernel fills in the header's checksum
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], fragment)
	b[9] = p.Protocol
	return append(addresses(b, p), payload...)
}

func addresses(b []byte, p iptables.Packet) []byte {
	return append(append(b, p.Src.AsSlice()...), p.Dst.AsSlice()...)
}

// sighting is a packet as a raw socket saw it, behind all rules.
type sighting struct {
	tag      uint32
	from, to netip.AddrPort
	mark     uint32
}

// readSegment reads the transport part; ok is false if it is too short.
func readSegment(proto uint8, b []byte) (from, to uint16, tag uint32, ok bool) {
	at := 4
	if proto == iptables.ProtoUDP {
		at = 8
	}
	if len(b) < at+4 {
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[at:]), true
}
