package diff

import (
	"net/netip"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

// example is one packet of a set, and its path.
func (s *space) example(set bdd.Ref) (iptables.Packet, iptables.Path) {
	bits := make([]byte, s.end())
	for {
		level, ok := s.Level(set)
		if !ok || level >= len(bits) {
			return s.packet(bits)
		}
		lo, hi := s.Split(set)
		if set = lo; lo == bdd.Nothing {
			set, bits[level] = hi, 1
		}
	}
}

// packet reads a vector of bits as a packet.
func (s *space) packet(bits []byte) (iptables.Packet, iptables.Path) {
	number := func(d dimension) (n uint32) {
		for i := range s.fields[d].bits {
			n = n<<1 | uint32(bits[s.fields[d].level(i)])
		}
		return n
	}
	address := func(d dimension) netip.Addr {
		bytes := make([]byte, s.fields[d].bits/8)
		for i := range s.fields[d].bits {
			bytes[i/8] |= bits[s.fields[d].level(i)] << (7 - i%8)
		}
		addr, _ := netip.AddrFromSlice(bytes)
		return addr
	}
	p := iptables.Packet{
		Protocol: uint8(number(dimProtocol)), Src: address(dimSrc), Dst: address(dimDst),
		SrcPort: iptables.Port(number(dimSrcPort)), DstPort: iptables.Port(number(dimDstPort)),
		Mark: number(dimMark), ConnMark: number(dimConnMark), State: states()[number(dimState)],
		Reply: number(dimReply) == 1, Transparent: number(dimTransparent) == 1,
		Midstream: number(dimMidstream) == 1,
	}
	if number(dimOwned) == 1 {
		p.Owner = &iptables.Owner{UID: number(dimUID), GID: number(dimGID)}
	}
	if number(dimPath) == 1 {
		p.Out = s.classes[number(dimInterface)]
		return p, iptables.Leaving
	}
	p.In = s.classes[number(dimInterface)]
	return p, iptables.Arriving
}
