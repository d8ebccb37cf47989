package nftables

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
)

// place remembers the two attributes that an open expression ends.
type place struct{ element, data int }

// open begins an expression: its name and its own attributes.
func (w *exprWriter) open(name string) place {
	element := w.b.Open(unix.NFTA_LIST_ELEM)
	w.b.String(unix.NFTA_EXPR_NAME, name)
	return place{element, w.b.Open(unix.NFTA_EXPR_DATA)}
}

func (w *exprWriter) close(p place) {
	w.b.Close(p.data)
	w.b.Close(p.element)
}

func (w *exprWriter) meta(key uint32) {
	w.register("meta", unix.NFTA_META_KEY, key, unix.NFTA_META_DREG)
}

func (w *exprWriter) metaSet(key uint32) {
	w.register("meta", unix.NFTA_META_KEY, key, unix.NFTA_META_SREG)
}

func (w *exprWriter) ct(key uint32) {
	w.register("ct", unix.NFTA_CT_KEY, key, unix.NFTA_CT_DREG)
}

func (w *exprWriter) ctSet(key uint32) {
	w.register("ct", unix.NFTA_CT_KEY, key, unix.NFTA_CT_SREG)
}

// register moves what a key names into the register, or out of it.
func (w *exprWriter) register(name string, keyAttr uint16, key uint32, way uint16) {
	e := w.open(name)
	w.b.Uint32(keyAttr, key)
	w.b.Uint32(way, unix.NFT_REG_1)
	w.close(e)
}

func (w *exprWriter) socket(key uint32, value byte) {
	w.register("socket", socketKey, key, socketRegister)
	w.compare(false, []byte{value})
}

func (w *exprWriter) payload(base, offset, size uint32) {
	e := w.open("payload")
	w.b.Uint32(unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_PAYLOAD_BASE, base)
	w.b.Uint32(unix.NFTA_PAYLOAD_OFFSET, offset)
	w.b.Uint32(unix.NFTA_PAYLOAD_LEN, size)
	w.close(e)
}

// address loads the first bytes of an address.
func (w *exprWriter) address(side iptables.Side, size int, four bool) {
	w.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, addressOffset(side, four), uint32(size))
}

// addressOffset is where the address stands in struct iphdr or struct ipv6hdr.
func addressOffset(side iptables.Side, four bool) uint32 {
	switch {
	case four && side == iptables.SrcSide:
		return 12
	case four:
		return 16
	case side == iptables.SrcSide:
		return 8
	}
	return 24
}

func (w *exprWriter) port(side iptables.Side) {
	offset := uint32(2)
	if side == iptables.SrcSide {
		offset = 0
	}
	w.payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2)
}

// opening compares the flags of a TCP header.
func (w *exprWriter) opening(inverted bool) {
	w.payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, tcpFlagsOffset, 1)
	w.bitwise([]byte{openingMask}, []byte{0})
	w.compare(inverted, []byte{openingFlag})
}

// prefix compares whole bytes where the prefix ends on one, and masks otherwise.
func (w *exprWriter) prefix(side iptables.Side, inverted bool, p netip.Prefix) {
	bytes := p.Addr().AsSlice()
	if p.Bits()%8 == 0 {
		n := p.Bits() / 8
		w.address(side, n, p.Addr().Is4())
		w.compare(inverted, bytes[:n])
		return
	}
	w.address(side, len(bytes), p.Addr().Is4())
	w.bitwise(prefixMask(len(bytes), p.Bits()), make([]byte, len(bytes)))
	w.compare(inverted, bytes)
}

func (w *exprWriter) inSet(m iptables.InSet) {
	first := m.Elements[0].Addr()
	w.address(m.Side, first.BitLen()/8, first.Is4())
	if _, ok := setOf(m); ok {
		w.lookup(m.Not)
		return
	}
	r := iptables.Ranges(m.Elements)[0]
	w.interval(m.Not, false, r.First.AsSlice(), r.Last.AsSlice())
}

func prefixMask(size, bits int) []byte {
	mask := make([]byte, size)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

func (w *exprWriter) mark(inverted bool, value, mask uint32) {
	w.masked(mask)
	w.compare(inverted, native32(value))
}

// portRange compares numbers that are in network order already.
func (w *exprWriter) portRange(inverted bool, r iptables.PortRange) {
	w.interval(inverted, r.Single(), big16(uint16(r.First)), big16(uint16(r.Last)))
}

// idRange compares one id as the kernel holds it, a range in network order:
// the machine compares bytes.
func (w *exprWriter) idRange(r iptables.IDRange) {
	if r.First == r.Last {
		w.compare(false, native32(r.First))
		return
	}
	w.byteorder(4)
	w.interval(false, false, big32(r.First), big32(r.Last))
}

func (w *exprWriter) interval(inverted, single bool, first, last []byte) {
	switch {
	case single:
		w.compare(inverted, first)
	case inverted:
		w.outside(first, last)
	default:
		w.cmp(unix.NFT_CMP_GTE, first)
		w.cmp(unix.NFT_CMP_LTE, last)
	}
}

func (w *exprWriter) compare(inverted bool, value []byte) {
	if inverted {
		w.cmp(unix.NFT_CMP_NEQ, value)
		return
	}
	w.cmp(unix.NFT_CMP_EQ, value)
}

func (w *exprWriter) cmp(op uint32, value []byte) {
	e := w.open("cmp")
	w.b.Uint32(unix.NFTA_CMP_SREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_CMP_OP, op)
	w.value(unix.NFTA_CMP_DATA, value)
	w.close(e)
}

func (w *exprWriter) outside(first, last []byte) {
	e := w.open("range")
	w.b.Uint32(unix.NFTA_RANGE_SREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_RANGE_OP, unix.NFT_RANGE_NEQ)
	w.value(unix.NFTA_RANGE_FROM_DATA, first)
	w.value(unix.NFTA_RANGE_TO_DATA, last)
	w.close(e)
}

// value writes data for a register.
func (w *exprWriter) value(kind uint16, value []byte) {
	data := w.b.Open(kind)
	w.b.Raw(unix.NFTA_DATA_VALUE, value)
	w.b.Close(data)
}

func (w *exprWriter) bitwise(mask, xor []byte) {
	e := w.open("bitwise")
	w.b.Uint32(unix.NFTA_BITWISE_SREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_BITWISE_DREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_BITWISE_LEN, uint32(len(mask)))
	w.value(unix.NFTA_BITWISE_MASK, mask)
	w.value(unix.NFTA_BITWISE_XOR, xor)
	w.close(e)
}

func (w *exprWriter) byteorder(size uint32) {
	e := w.open("byteorder")
	w.b.Uint32(unix.NFTA_BYTEORDER_SREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_BYTEORDER_DREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_BYTEORDER_OP, unix.NFT_BYTEORDER_HTON)
	w.b.Uint32(unix.NFTA_BYTEORDER_LEN, size)
	w.b.Uint32(unix.NFTA_BYTEORDER_SIZE, size)
	w.close(e)
}

// lookup asks for the next of the rule's sets.
func (w *exprWriter) lookup(inverted bool) {
	e := w.open("lookup")
	w.b.String(unix.NFTA_LOOKUP_SET, anonymous)
	w.b.Uint32(unix.NFTA_LOOKUP_SREG, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_LOOKUP_SET_ID, w.sets[0])
	if inverted {
		w.b.Uint32(unix.NFTA_LOOKUP_FLAGS, unix.NFT_LOOKUP_F_INV)
	}
	w.close(e)
	w.sets = w.sets[1:]
}

func (w *exprWriter) immediate(register uint32, value []byte) {
	e := w.open("immediate")
	w.b.Uint32(unix.NFTA_IMMEDIATE_DREG, register)
	w.value(unix.NFTA_IMMEDIATE_DATA, value)
	w.close(e)
}

func (w *exprWriter) verdict(code int32, chain string) {
	e := w.open("immediate")
	w.b.Uint32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
	data := w.b.Open(unix.NFTA_IMMEDIATE_DATA)
	verdict := w.b.Open(unix.NFTA_DATA_VERDICT)
	w.b.Uint32(unix.NFTA_VERDICT_CODE, uint32(code))
	if chain != "" {
		w.b.String(unix.NFTA_VERDICT_CHAIN, chain)
	}
	w.b.Close(verdict)
	w.b.Close(data)
	w.close(e)
}

func (w *exprWriter) redirect() {
	e := w.open("redir")
	w.b.Uint32(unix.NFTA_REDIR_REG_PROTO_MIN, unix.NFT_REG_1)
	w.b.Uint32(unix.NFTA_REDIR_FLAGS, unix.NF_NAT_RANGE_PROTO_SPECIFIED)
	w.close(e)
}
