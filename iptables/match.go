package iptables

import (
	"net/netip"
	"strconv"
	"strings"
)

// Match is one condition of a rule. A rule matches a packet when all its
// conditions hold. The set of implementations is closed: these are the types
// that Parse understands, that are rendered, and that Trace can decide.
type Match interface {
	// words returns the canonical arguments. proto is the rule's protocol name.
	words(proto string) []string
	// problem says what is missing in a match that constrains nothing, or "".
	problem() string
	// holds decides the condition for a packet.
	holds(p Packet) Answer
}

// Source matches the packet's source address.
type Source struct {
	Prefix netip.Prefix
	Not    bool
}

// Destination matches the packet's destination address.
type Destination struct {
	Prefix netip.Prefix
	Not    bool
}

// InInterface matches the interface by which the packet entered. A trailing
// "+" matches every name with that beginning.
type InInterface struct {
	Name string
	Not  bool
}

// OutInterface matches the interface by which the packet will leave.
type OutInterface struct {
	Name string
	Not  bool
}

// Protocol matches the transport protocol, by IANA number.
type Protocol struct {
	Number uint8
	Not    bool
}

// SourcePort matches the source port of the rule's protocol.
type SourcePort struct {
	Range PortRange
	Not   bool
}

// DestinationPort matches the destination port of the rule's protocol.
type DestinationPort struct {
	Range PortRange
	Not   bool
}

// Side says which address or port of a packet is compared.
type Side string

// The sides; Either exists for multiport only.
const (
	SrcSide Side = "src"
	DstSide Side = "dst"
	Either  Side = "either"
)

// MultiPort matches a port against up to MultiPortSlots slots, a range costing two.
type MultiPort struct {
	Side   Side
	Ranges []PortRange
	Not    bool
}

// MultiPortSlots is the capacity of one multiport match
// (XT_MULTI_PORTS in include/uapi/linux/netfilter/xt_multiport.h).
const MultiPortSlots = 15

// UIDOwner matches the uid of the opener of the sending socket. A packet
// without a socket matches no UIDOwner and every negated one.
type UIDOwner struct {
	Range IDRange
	Not   bool
}

// GIDOwner matches the primary gid of the opener of the sending socket.
type GIDOwner struct {
	Range IDRange
	Not   bool
}

// PacketMark matches the packet's mark under a mask.
type PacketMark struct {
	Value, Mask uint32
	Not         bool
}

// ConnMark matches the connection's mark under a mask.
type ConnMark struct {
	Value, Mask uint32
	Not         bool
}

// ConnState matches the conntrack state of the packet.
type ConnState struct {
	States []State
	Not    bool
}

// ConnDirection matches the packet's direction within its tracked connection;
// an untracked packet has none and never matches.
type ConnDirection struct{ Reply bool }

// TransparentSocket matches packets for which a transparent socket exists
// (-m socket --transparent).
type TransparentSocket struct{ NoWildcard bool }

// Opening matches TCP packets that open a connection: of the flags SYN, ACK, RST
// and FIN they carry SYN alone (-p tcp --syn).
type Opening struct{ Not bool }

// InSet matches an address against a named set of the kernel (ipset).
type InSet struct {
	Name string
	Side Side
	Not  bool
	// Elements is what the set holds; nil when that is not known, as in a dump.
	Elements []netip.Prefix
}

// PortInSet matches a port against a named set of the kernel (ipset,
// bitmap:port). A packet of a protocol without ports matches none, so the rule
// names a protocol that has them.
type PortInSet struct {
	Name string
	Side Side
	Not  bool
	// Ranges is what the set holds; nil when that is not known, as in a dump.
	Ranges []PortRange
}

// Opaque is a condition that this package carries along but cannot decide.
type Opaque struct{ Words []string }

func (m Source) words(string) []string      { return negate(m.Not, "-s", m.Prefix.String()) }
func (m Destination) words(string) []string { return negate(m.Not, "-d", m.Prefix.String()) }
func (m InInterface) words(string) []string { return negate(m.Not, "-i", quoted(m.Name)) }
func (m OutInterface) words(string) []string {
	return negate(m.Not, "-o", quoted(m.Name))
}
func (m Protocol) words(string) []string { return negate(m.Not, "-p", ProtocolName(m.Number)) }

func (m SourcePort) words(string) []string { return negate(m.Not, "--sport", m.Range.String()) }
func (m DestinationPort) words(string) []string {
	return negate(m.Not, "--dport", m.Range.String())
}

func (m MultiPort) words(string) []string {
	option := map[Side]string{SrcSide: "--sports", DstSide: "--dports", Either: "--ports"}[m.Side]
	texts := make([]string, len(m.Ranges))
	for i, r := range m.Ranges {
		texts[i] = r.String()
	}
	return module("multiport", negate(m.Not, option, strings.Join(texts, ",")))
}

func (m UIDOwner) words(string) []string {
	return module("owner", negate(m.Not, "--uid-owner", m.Range.String()))
}

func (m GIDOwner) words(string) []string {
	return module("owner", negate(m.Not, "--gid-owner", m.Range.String()))
}

func (m PacketMark) words(string) []string {
	return module("mark", negate(m.Not, "--mark", masked(m.Value, m.Mask)))
}

func (m ConnMark) words(string) []string {
	return module("connmark", negate(m.Not, "--mark", masked(m.Value, m.Mask)))
}

func (m ConnState) words(string) []string {
	names := make([]string, len(m.States))
	for i, s := range m.States {
		names[i] = string(s)
	}
	return module("conntrack", negate(m.Not, "--ctstate", strings.Join(names, ",")))
}

func (m ConnDirection) words(string) []string {
	if m.Reply {
		return []string{"-m", "conntrack", "--ctdir", "REPLY"}
	}
	return []string{"-m", "conntrack", "--ctdir", "ORIGINAL"}
}

func (m TransparentSocket) words(string) []string {
	if m.NoWildcard {
		return []string{"-m", "socket", "--transparent", "--nowildcard"}
	}
	return []string{"-m", "socket", "--transparent"}
}

func (m Opening) words(string) []string {
	return negate(m.Not, "--tcp-flags", openingMask, openingFlag)
}

// The flags of a packet that opens a connection, as iptables-save spells --syn.
const (
	openingMask = "FIN,SYN,RST,ACK"
	openingFlag = "SYN"
)

func (m InSet) words(string) []string {
	return module("set", negate(m.Not, "--match-set", quoted(m.Name), string(m.Side)))
}

func (m PortInSet) words(string) []string {
	return module("set", negate(m.Not, "--match-set", quoted(m.Name), string(m.Side)))
}

func (m Opaque) words(string) []string { return quoteAll(m.Words) }

func negate(not bool, words ...string) []string {
	if not {
		return append([]string{"!"}, words...)
	}
	return words
}

func module(name string, words []string) []string {
	return append([]string{"-m", name}, words...)
}

// masked prints a mark; the full mask is left out, as iptables does.
func masked(value, mask uint32) string {
	if mask == FullMask {
		return hex(value)
	}
	return hex(value) + "/" + hex(mask)
}

// FullMask compares or writes all 32 bits of a mark.
const FullMask uint32 = 0xffffffff

// Protocol numbers (IANA) that rules and packets name most.
const (
	ProtoICMP   uint8 = 1
	ProtoTCP    uint8 = 6
	ProtoUDP    uint8 = 17
	ProtoICMPv6 uint8 = 58
)

// ProtocolName is the name iptables prints for a protocol number, or the number.
func ProtocolName(n uint8) string {
	for _, p := range protocols {
		if p.number == n {
			return p.name
		}
	}
	return strconv.Itoa(int(n))
}

// protocolNumber is the inverse of ProtocolName for names.
func protocolNumber(name string) (uint8, bool) {
	for _, p := range protocols {
		if p.name == name {
			return p.number, true
		}
	}
	return 0, false
}

// protocols holds the names that iptables prints, so each number once.
var protocols = [...]struct {
	name   string
	number uint8
}{
	{"tcp", ProtoTCP},
	{"udp", ProtoUDP},
	{"icmp", ProtoICMP},
	{"ipv6-icmp", ProtoICMPv6},
	{"esp", 50},
	{"ah", 51},
	{"sctp", 132},
	{"udplite", 136},
	{"dccp", 33},
	{"gre", 47},
}
