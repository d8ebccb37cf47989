package ipset

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// Commands and attributes (include/uapi/linux/netfilter/ipset/ip_set.h).
const (
	subsystem = unix.NFNL_SUBSYS_IPSET

	cmdCreate  = 2
	cmdDestroy = 3
	cmdRename  = 5
	cmdSwap    = 6
	cmdList    = 7
	cmdAdd     = 9

	attrProtocol = 1
	attrSetName  = 2
	attrTypeName = 3 // or the second name of a rename or swap
	attrRevision = 4
	attrFamily   = 5
	attrFlags    = 6
	attrData     = 7
	attrList     = 8 // ADT: the elements

	dataIP      = 1
	dataCIDR    = 3
	dataPort    = 4 // or the first one of a range
	dataPortTo  = 5
	dataLine    = 9
	dataMaximum = 19

	addrIPv4 = 1
	addrIPv6 = 2

	netOrder   = 0x4000 // NLA_F_NET_BYTEORDER
	namesOnly  = 1 << 1 // IPSET_FLAG_LIST_SETNAME
	protocol   = 6
	busy       = unix.Errno(4100) // IPSET_ERR_BUSY: a rule uses the set
	noType     = unix.Errno(4098) // IPSET_ERR_FIND_TYPE
	hashNet    = "hash:net"
	bitmapPort = "bitmap:port"
	perMessage = 1400 // elements; each takes at most 44 bytes of an attribute's 64 KiB
)

// message begins a command on a set; "" is none.
func message(kind, flags uint16, family uint8, set string) *nfnl.Buffer {
	b := &nfnl.Buffer{}
	b.Message(subsystem<<8|kind, flags, family, 0)
	b.Uint8(attrProtocol, protocol)
	if set != "" {
		b.String(attrSetName, set)
	}
	return b
}

func nfproto(f iptables.Family) uint8 {
	switch f {
	case iptables.V4:
		return unix.NFPROTO_IPV4
	case iptables.V6:
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_UNSPEC
}

func createMessage(s Set) *nfnl.Buffer {
	b := message(cmdCreate, nfnl.FlagCreate|nfnl.FlagExcl, nfproto(s.Family), s.Name)
	kind := hashNet
	if s.ofPorts() {
		kind = bitmapPort
	}
	b.String(attrTypeName, kind)
	b.Uint8(attrRevision, 0)
	b.Uint8(attrFamily, nfproto(s.Family))
	data := b.Open(attrData)
	if s.ofPorts() { // a bit for each port, 8 KiB
		port(b, dataPort, 0)
		port(b, dataPortTo, 65535)
	} else {
		b.Uint32(dataMaximum|netOrder, uint32(max(len(s.Elements), 1)))
	}
	b.Close(data)
	return b
}

func (s Set) ofPorts() bool { return s.Ports != nil }

// size is the number of elements as they are written.
func (s Set) size() int { return len(s.Elements) + len(s.Ports) }

// addMessage adds elements from a first one on. Their numbers are what the
// kernel would name the one by that it refused.
func addMessage(s Set, first int) *nfnl.Buffer {
	past := min(first+perMessage, s.size())
	b := message(cmdAdd, 0, nfproto(s.Family), s.Name)
	b.Grow((past - first) * 44)
	b.Uint32(dataLine|netOrder, uint32(first+1))
	all := b.Open(attrList)
	for i := first; i < past; i++ {
		data := b.Open(attrData)
		if s.ofPorts() {
			port(b, dataPort, s.Ports[i].First)
			port(b, dataPortTo, s.Ports[i].Last)
		} else {
			prefix(b, s.Elements[i])
		}
		b.Uint32(dataLine|netOrder, uint32(i+1))
		b.Close(data)
	}
	b.Close(all)
	return b
}

func prefix(b *nfnl.Buffer, p netip.Prefix) {
	ip := b.Open(dataIP)
	b.Raw(addrKind(p)|netOrder, p.Addr().AsSlice())
	b.Close(ip)
	b.Uint8(dataCIDR, uint8(p.Bits()))
}

func port(b *nfnl.Buffer, kind uint16, p iptables.Port) {
	b.Raw(kind|netOrder, binary.BigEndian.AppendUint16(nil, uint16(p)))
}

func addrKind(p netip.Prefix) uint16 {
	if p.Addr().Is4() {
		return addrIPv4
	}
	return addrIPv6
}

// parseSet reads a part of a listing. Only the first part of a set says its type
// and family (ip_set_dump_do in net/netfilter/ipset/ip_set_core.c).
func parseSet(body []byte) Set {
	s := Set{Name: nfnl.String(nfnl.Attr(body, attrSetName)), Family: iptables.V4}
	f := nfnl.Attr(body, attrFamily)
	switch {
	case nfnl.String(nfnl.Attr(body, attrTypeName)) == bitmapPort:
		s.Family, s.Ports = 0, []iptables.PortRange{}
	case len(f) == 1 && f[0] == unix.NFPROTO_IPV6:
		s.Family = iptables.V6
	}
	for _, item := range nfnl.Attrs(nfnl.Attr(body, attrList)) {
		if p, ok := parseElement(item); ok {
			s.Elements = append(s.Elements, p)
		}
		if p := nfnl.Attr(item, dataPort); len(p) == 2 {
			s.Ports = append(s.Ports, iptables.OnePort(iptables.Port(binary.BigEndian.Uint16(p))))
		}
	}
	s.Ports = joined(s.Ports)
	return s
}

// joined makes the kernel's list of single ports ranges again; none stay none.
func joined(list []iptables.PortRange) []iptables.PortRange {
	if len(list) == 0 {
		return list
	}
	return iptables.JoinPorts(list)
}

func parseElement(item []byte) (netip.Prefix, bool) {
	ip := nfnl.Attr(item, dataIP)
	value := nfnl.Attr(ip, addrIPv4)
	if value == nil {
		value = nfnl.Attr(ip, addrIPv6)
	}
	addr, ok := netip.AddrFromSlice(value)
	bits := addr.BitLen()
	if cidr := nfnl.Attr(item, dataCIDR); len(cidr) == 1 {
		bits = int(cidr[0])
	}
	return netip.PrefixFrom(addr, bits), ok
}

// flags is the body of a listing that asks for names only.
func flags(b *nfnl.Buffer, value uint32) {
	b.Raw(attrFlags|netOrder, binary.BigEndian.AppendUint32(nil, value))
}
