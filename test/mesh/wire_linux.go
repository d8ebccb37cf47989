package mesh

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/rig"
)

// Tap sees every packet of one interface, as a packet socket does it. The kernel
// hands a packet to the socket before it goes on: what a finished call caused
// is there to be taken.
type Tap struct {
	fd int
}

// Packet is a frame as it was seen.
type Packet struct {
	Seen  time.Time
	Frame []byte
}

// tapBuffer holds what a scene sends between two looks.
const tapBuffer = 16 << 20

// NewTap begins to listen on an interface of the namespace, until the test ends.
func NewTap(t testing.TB, n *rig.Namespace, device string) *Tap {
	t.Helper()
	var fd int
	var err error
	n.Do(func() { fd, err = openTap(device) })
	if err != nil {
		t.Fatalf("listen on %s in %s: %v", device, n.Name, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &Tap{fd}
}

func openTap(device string) (int, error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, tapBuffer),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link.Index}))
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// networkOrder is htons.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// Take returns the packets since the last time. It is an error if the kernel
// had to drop some.
func (w *Tap) Take() ([]Packet, error) {
	var packets []Packet
	buffer := make([]byte, 1<<17) // segments of 64 KiB travel whole on a veth
	for {
		n, _, err := unix.Recvfrom(w.fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) {
			return packets, w.lost()
		}
		if err != nil {
			return packets, err
		}
		packets = append(packets, Packet{time.Now(), bytes.Clone(buffer[:n])})
	}
}

func (w *Tap) lost() error {
	stats, err := unix.GetsockoptTpacketStats(w.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return err
	}
	if stats.Drops > 0 {
		return fmt.Errorf("%d packets were not seen: the buffer was full", stats.Drops)
	}
	return nil
}

// WritePcap writes packets as a capture file that every analyser reads.
func WritePcap(w io.Writer, packets []Packet) error {
	const microseconds, ethernet, snaplen = 0xa1b2c3d4, 1, 1 << 18
	head := []any{uint32(microseconds), uint16(2), uint16(4), int32(0), uint32(0), uint32(snaplen), uint32(ethernet)}
	var b bytes.Buffer
	for _, field := range head {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			return err
		}
	}
	for _, p := range packets {
		length := uint32(len(p.Frame))
		for _, field := range []uint32{uint32(p.Seen.Unix()), uint32(p.Seen.Nanosecond() / 1000), length, length} {
			b.Write(binary.LittleEndian.AppendUint32(nil, field))
		}
		b.Write(p.Frame)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// segment is a TCP segment of a frame.
type segment struct {
	from, to netip.AddrPort
	syn, ack bool
	payload  []byte
}

const etherHeader = 14

// parseSegment reads an Ethernet frame; ok is false if it holds no TCP.
func parseSegment(frame []byte) (s segment, ok bool) {
	if len(frame) < etherHeader {
		return segment{}, false
	}
	packet := frame[etherHeader:]
	switch binary.BigEndian.Uint16(frame[etherHeader-2:]) {
	case unix.ETH_P_IP:
		return parseIPv4(packet)
	case unix.ETH_P_IPV6:
		return parseIPv6(packet)
	}
	return segment{}, false
}

func parseIPv4(p []byte) (segment, bool) {
	if len(p) < 20 || p[9] != unix.IPPROTO_TCP {
		return segment{}, false
	}
	header, total := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	if header < 20 || total < header || len(p) < total {
		return segment{}, false
	}
	return parseTCP(netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])), p[header:total])
}

func parseIPv6(p []byte) (segment, bool) {
	const header = 40
	if len(p) < header || p[6] != unix.IPPROTO_TCP {
		return segment{}, false
	}
	total := header + int(binary.BigEndian.Uint16(p[4:]))
	if len(p) < total {
		return segment{}, false
	}
	return parseTCP(netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40])), p[header:total])
}

func parseTCP(from, to netip.Addr, p []byte) (segment, bool) {
	if len(p) < 20 {
		return segment{}, false
	}
	header := int(p[12]>>4) * 4
	if header < 20 || len(p) < header {
		return segment{}, false
	}
	return segment{
		from:    netip.AddrPortFrom(from, binary.BigEndian.Uint16(p[0:])),
		to:      netip.AddrPortFrom(to, binary.BigEndian.Uint16(p[2:])),
		syn:     p[13]&2 != 0,
		ack:     p[13]&16 != 0,
		payload: p[header:],
	}, true
}

// Wire is what somebody who listens on the wire can tell of a call.
type Wire string

// What a wire may be. Silent: nothing of the call came by, not even the wish
// for a connection. Closed: a connection, and no byte in it. Unclear is neither
// plain text with the call's token nor TLS: no scene expects it.
const (
	Plain   Wire = "plain"
	TLS     Wire = "TLS"
	Silent  Wire = "silent"
	Closed  Wire = "closed"
	Unclear Wire = "unclear"
)

// Judge looks for a call's token in the connections to a port that begin in
// these packets. What is left on the wire of an earlier call does not count.
func Judge(packets []Packet, port uint16, token string) Wire {
	wire := Silent
	begun := map[netip.AddrPort][]netip.AddrPort{} // by client, the senders whose first bytes were seen
	for _, p := range packets {
		s, ok := parseSegment(p.Frame)
		if !ok {
			continue
		}
		client := s.from
		if s.from.Port() == port {
			client = s.to
		}
		if s.syn && !s.ack && s.to.Port() == port {
			begun[client] = nil
			if wire == Silent {
				wire = Closed
			}
		}
		seen, open := begun[client]
		if !open || len(s.payload) == 0 {
			continue
		}
		if bytes.Contains(s.payload, []byte(token)) {
			return Plain
		}
		if !slices.Contains(seen, s.from) {
			begun[client] = append(seen, s.from)
			wire = first(wire, s.payload)
		}
	}
	return wire
}

// first is what the first bytes of one direction say, given what others said.
func first(so Wire, payload []byte) Wire {
	const handshake, alert, version = 0x16, 0x15, 0x03
	secured := len(payload) > 2 && payload[1] == version && (payload[0] == handshake || payload[0] == alert)
	if secured && so != Unclear {
		return TLS
	}
	return Unclear
}
