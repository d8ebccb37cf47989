package validation

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// raw sends packets of any identity and sees where they are delivered. It
// belongs to the network namespace of the thread that opened it.
type raw struct {
	facts   FamilyFacts
	senders map[sender]int
	eyes    []eye
	onLo    int // a packet socket, -1 until it is needed: closing one takes 10 ms
}

// sender is what a sending socket carries.
type sender struct {
	uid, gid, mark uint32
	arriving       bool
}

// eye is a receiving socket.
type eye struct {
	fd    int
	proto uint8
	v6    bool
}

func openRaw(f FamilyFacts) (*raw, error) {
	r := &raw{facts: f, senders: map[sender]int{}, onLo: -1}
	for _, proto := range []uint8{iptables.ProtoTCP, iptables.ProtoUDP} {
		e, err := openEye(f.Family, proto)
		if err != nil {
			r.close()
			return nil, err
		}
		r.eyes = append(r.eyes, e)
	}
	return r, nil
}

func (r *raw) close() {
	for _, e := range r.eyes {
		unix.Close(e.fd)
	}
	for _, fd := range r.senders {
		unix.Close(fd)
	}
	if r.onLo >= 0 {
		unix.Close(r.onLo)
	}
}

const rawFlags = unix.SOCK_RAW | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

// openEye asks for the mark that a packet has when it is delivered, and for the
// address, which a raw IPv6 socket gets no header to read from.
func openEye(f iptables.Family, proto uint8) (eye, error) {
	domain := unix.AF_INET
	if f == iptables.V6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, rawFlags, int(proto))
	if err != nil {
		return eye{}, failed("open a raw socket", "", err)
	}
	options := []option{{unix.SOL_SOCKET, unix.SO_RCVMARK, 1}, {unix.SOL_SOCKET, unix.SO_RCVBUF, 1 << 20}}
	if f == iptables.V6 {
		options = append(options, option{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1})
	}
	if err := setOptions(fd, options); err != nil {
		unix.Close(fd)
		return eye{}, err
	}
	return eye{fd, proto, f == iptables.V6}, nil
}

type option struct{ level, name, value int }

func setOptions(fd int, options []option) error {
	for _, o := range options {
		err := unix.SetsockoptInt(fd, o.level, o.name, o.value)
		if err == unix.ENOPROTOOPT && o.name == unix.SO_RCVMARK { // before Linux 5.19: marks are not seen
			continue
		}
		if err != nil {
			return failed("prepare a raw socket", "", err)
		}
	}
	return nil
}

// send puts a probe's packet on its way.
func (r *raw) send(p Probe, tag uint32) error {
	if p.Path == iptables.Arriving && p.Packet.In == "" {
		return r.sendByLo(p, tag)
	}
	fd, err := r.sender(p)
	if err != nil {
		return err
	}
	for _, b := range r.packets(p, tag) {
		if err := unix.Sendto(fd, b, 0, r.route(p)); err != nil {
			return failed("send a packet", p.String(), err)
		}
	}
	return nil
}

// packets is one packet, or the two fragments of one that loops back.
func (r *raw) packets(p Probe, tag uint32) [][]byte {
	if p.Path == iptables.Leaving || r.facts.Family == iptables.V6 {
		return [][]byte{datagram(p.Packet, segment(p.Packet, tag, p.Path == iptables.Arriving), 0, 0)}
	}
	b, id := segment(p.Packet, tag, true), uint16(tag)|1
	return [][]byte{datagram(p.Packet, b[:firstFragment], id, moreFragments), datagram(p.Packet, b[firstFragment:], id, firstFragment/8)}
}

// route is the address that chooses the interface; the one in the packet
// doesn't, but for IPv6 beyond lo.
func (r *raw) route(p Probe) unix.Sockaddr {
	near := p.Path == iptables.Leaving && p.Packet.Out == "lo"
	switch {
	case near && r.facts.Family == iptables.V6:
		return &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}
	case near:
		return &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	case r.facts.Family == iptables.V6:
		return &unix.SockaddrInet6{Addr: p.Packet.Dst.As16()}
	}
	return &unix.SockaddrInet4{Addr: allHosts(iptables.V4).As4()}
}

func (r *raw) sender(p Probe) (int, error) {
	key := sender{p.As.UID, p.As.GID, p.Packet.Mark, p.Path == iptables.Arriving}
	if fd, ok := r.senders[key]; ok {
		return fd, nil
	}
	domain := unix.AF_INET
	if r.facts.Family == iptables.V6 {
		domain = unix.AF_INET6
	}
	fd := -1
	err := actAs(p.As, func() (err error) {
		fd, err = unix.Socket(domain, rawFlags, unix.IPPROTO_RAW)
		return err
	})
	if err != nil {
		return 0, failed("open a raw socket", p.As.String(), err)
	}
	r.senders[key] = fd
	return fd, r.prepare(fd, key)
}

func (r *raw) prepare(fd int, key sender) error {
	var options []option
	if key.mark != 0 {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_MARK, int(key.mark)})
	}
	loop := 0
	if key.arriving {
		loop = 1
	}
	if r.facts.Family == iptables.V6 {
		options = append(options, option{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, loop})
	} else {
		options = append(options, option{unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, loop}, option{unix.IPPROTO_IP, unix.IP_NODEFRAG, loop})
	}
	if err := setOptions(fd, options); err != nil {
		return err
	}
	return r.bindMulticast(fd)
}

// bindMulticast chooses the pod's interface, if there is one yet.
func (r *raw) bindMulticast(fd int) error {
	if r.facts.Interface == "" {
		return nil
	}
	link, err := net.InterfaceByName(r.facts.Interface)
	if err != nil {
		return failed("find the interface", r.facts.Interface, err)
	}
	if r.facts.Family == iptables.V6 {
		return setOptions(fd, []option{{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, link.Index}})
	}
	err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(link.Index)})
	return failed("choose the interface", r.facts.Interface, err)
}

// sendByLo puts a packet on lo as if it arrived there without having left. It
// is addressed to everybody, so that TCP lets it lie.
func (r *raw) sendByLo(p Probe, tag uint32) (err error) {
	if r.onLo < 0 {
		if r.onLo, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return failed("open a packet socket", "", err)
		}
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return failed("find the interface", "lo", err)
	}
	to := unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IPV6), Ifindex: lo.Index, Halen: 6}
	copy(to.Addr[:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	err = unix.Sendto(r.onLo, datagram(p.Packet, segment(p.Packet, tag, true), 0, 0), 0, &to)
	return failed("send a packet", p.String(), err)
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// drain reports what has been delivered so far.
func (r *raw) drain(see func(sighting)) {
	for _, e := range r.eyes {
		b, oob := make([]byte, 256), make([]byte, 256)
		for {
			n, m, _, from, err := unix.Recvmsg(e.fd, b, oob, 0)
			if err != nil {
				break
			}
			if s, ok := e.read(b[:n], oob[:m], from); ok {
				see(s)
			}
		}
	}
}

// wait blocks until something is delivered, at most that long.
func (r *raw) wait(d time.Duration) {
	var fds []unix.PollFd
	for _, e := range r.eyes {
		fds = append(fds, unix.PollFd{Fd: int32(e.fd), Events: unix.POLLIN})
	}
	_, _ = unix.Poll(fds, max(1, int(d.Milliseconds()))) // an interrupted wait is a shorter one
}

// read takes the addresses from the IPv4 header, and for IPv6 from what the
// socket says beside the packet.
func (e eye) read(b, oob []byte, sender unix.Sockaddr) (sighting, bool) {
	var s sighting
	var addr, src netip.Addr
	if six, ok := sender.(*unix.SockaddrInet6); ok {
		src = netip.AddrFrom16(six.Addr)
	}
	if !e.v6 {
		if len(b) < 20 {
			return s, false
		}
		src, addr = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[min(len(b), int(b[0]&15)*4):]
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return s, false
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_MARK && len(m.Data) >= 4:
			s.mark = binary.NativeEndian.Uint32(m.Data)
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			addr = netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
	from, to, tag, ok := readSegment(e.proto, b)
	s.tag, s.from, s.to = tag, netip.AddrPortFrom(src, from), netip.AddrPortFrom(addr, to)
	return s, ok
}

// failed is nil if err is.
func failed(op, target string, err error) error {
	if err == nil {
		return nil
	}
	return &netns.Error{Op: op, Target: target, Err: err}
}
