package nftables

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// action reads the expressions that do something by themselves.
func (d *decoder) action(e expr) bool {
	switch e.name {
	case "redir":
		port, ok := d.portIn(e.number(unix.NFTA_REDIR_REG_PROTO_MIN))
		return ok && d.finish(iptables.Redirect{Port: port})
	case "tproxy":
		port, ok := d.portIn(e.number(tproxyPort))
		t := iptables.TProxy{Port: port}
		if e.attr[tproxyAddr] != nil {
			t.On, _ = netip.AddrFromSlice(d.register(e.number(tproxyAddr)).data)
		}
		d.listener = &t
		return ok && d.rule.Target == nil
	case "log":
		return d.finish(iptables.Log{Prefix: nfnl.String(e.attr[unix.NFTA_LOG_PREFIX])})
	}
	return false
}

func (d *decoder) portIn(register uint32) (iptables.Port, bool) {
	v := d.register(register)
	if v.from.kind != "immediate" || len(v.data) < 2 {
		return 0, false
	}
	return iptables.Port(binary.BigEndian.Uint16(v.data)), true
}

// question is what a rule asks about a value: whether it lies between two
// bounds, or in a set.
type question struct {
	value
	inverted    bool
	first, last []byte
	set         *set
}

// ask reads a comparison and notes the condition.
func (d *decoder) ask(e expr) bool {
	var q question
	ok := false
	switch e.name {
	case "cmp":
		var more bool
		q, more, ok = d.compared(e)
		if more {
			return ok
		}
	case "range":
		q.value = *d.register(e.number(unix.NFTA_RANGE_SREG))
		q.inverted = e.number(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_NEQ
		q.first, q.last, ok = e.data(unix.NFTA_RANGE_FROM_DATA), e.data(unix.NFTA_RANGE_TO_DATA), true
	case "lookup":
		q.value = *d.register(e.number(unix.NFTA_LOOKUP_SREG))
		q.inverted = e.number(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0
		var s set
		s, ok = d.sets[nfnl.String(e.attr[unix.NFTA_LOOKUP_SET])]
		q.set = &s
	}
	return ok && d.condition(q)
}

// compared reads a cmp. A lower bound waits for its upper one: more.
func (d *decoder) compared(e expr) (q question, more, ok bool) {
	v := d.register(e.number(unix.NFTA_CMP_SREG))
	data := e.data(unix.NFTA_CMP_DATA)
	switch e.number(unix.NFTA_CMP_OP) {
	case unix.NFT_CMP_EQ:
		return question{value: *v, first: data, last: data}, false, true
	case unix.NFT_CMP_NEQ:
		return question{value: *v, first: data, last: data, inverted: true}, false, true
	case unix.NFT_CMP_GTE:
		v.least = data
		return question{}, true, true
	case unix.NFT_CMP_LTE:
		return question{value: *v, first: v.least, last: data}, false, v.least != nil
	}
	return question{}, false, false
}

// condition adds the rule's condition for a question; false if we never ask it.
func (d *decoder) condition(q question) bool {
	if q.set == nil && (len(q.first) == 0 || len(q.first) != len(q.last)) {
		return false
	}
	m, ok := iptables.Match(nil), false
	switch q.from.kind {
	case "meta":
		if q.from.key == unix.NFT_META_NFPROTO {
			return d.familyIs(q)
		}
		m, ok = metaCondition(q)
	case "ct":
		m, ok = ctCondition(q)
	case "payload":
		m, ok = payloadCondition(q)
	case "socket":
		return d.socketIs(q)
	}
	if ok {
		d.rule.Match = append(d.rule.Match, m)
	}
	return ok
}

// one is the byte that a value is compared with.
func (q question) one() (byte, bool) {
	if q.set != nil || len(q.first) != 1 || q.mask != nil || !bytes.Equal(q.first, q.last) {
		return 0, false
	}
	return q.first[0], true
}

func (d *decoder) familyIs(q question) bool {
	n, ok := q.one()
	if !ok || q.inverted || d.rule.Only != 0 || d.only != 0 {
		return false
	}
	for _, f := range iptables.Families() {
		if n == familyNumber(f) {
			d.rule.Only = f
		}
	}
	return d.rule.Only != 0
}

// socketIs reads "transparent 1" and, right behind it, "wildcard 0".
func (d *decoder) socketIs(q question) bool {
	n, ok := q.one()
	if !ok || q.inverted {
		return false
	}
	if q.from.key == socketTransparent && n == 1 {
		d.rule.Match = append(d.rule.Match, iptables.TransparentSocket{NoWildcard: true})
		return true
	}
	last := len(d.rule.Match) - 1
	if q.from.key == socketWildcard && n == 0 && last >= 0 && d.rule.Match[last] == (iptables.TransparentSocket{NoWildcard: true}) {
		d.rule.Match[last] = iptables.TransparentSocket{}
		return true
	}
	return false
}

func metaCondition(q question) (iptables.Match, bool) {
	single := q.set == nil && bytes.Equal(q.first, q.last)
	switch q.from.key {
	case unix.NFT_META_IIFNAME:
		return iptables.InInterface{Name: interfaceName(q.first), Not: q.inverted}, single
	case unix.NFT_META_OIFNAME:
		return iptables.OutInterface{Name: interfaceName(q.first), Not: q.inverted}, single
	case unix.NFT_META_L4PROTO:
		n, ok := q.one()
		return iptables.Protocol{Number: n, Not: q.inverted}, ok
	case unix.NFT_META_MARK:
		return iptables.PacketMark{Value: native(q.first), Mask: maskOf(q.value), Not: q.inverted}, single && native(q.xor) == 0
	case unix.NFT_META_SKUID:
		r, ok := q.ids()
		return iptables.UIDOwner{Range: r}, ok
	case unix.NFT_META_SKGID:
		r, ok := q.ids()
		return iptables.GIDOwner{Range: r}, ok
	}
	return nil, false
}

// interfaceName is the inverse of interfaceBytes.
func interfaceName(data []byte) string {
	if len(data) < unix.IFNAMSIZ {
		return string(data) + "+"
	}
	return nfnl.String(data)
}

// ids reads a question about an owner. An inverted one means something else
// here than in iptables and is none of ours.
func (q question) ids() (iptables.IDRange, bool) {
	if q.set != nil || q.inverted || len(q.first) != 4 || q.mask != nil {
		return iptables.IDRange{}, false
	}
	if q.swapped {
		return iptables.IDRange{First: binary.BigEndian.Uint32(q.first), Last: binary.BigEndian.Uint32(q.last)}, true
	}
	return iptables.OneID(native(q.first)), bytes.Equal(q.first, q.last)
}

func ctCondition(q question) (iptables.Match, bool) {
	single := q.set == nil && bytes.Equal(q.first, q.last)
	switch q.from.key {
	case unix.NFT_CT_STATE:
		m := iptables.ConnState{Not: !q.inverted}
		bits := native(q.mask)
		for _, s := range states() {
			if bits&s.bit != 0 {
				m.States = append(m.States, s.state)
			}
		}
		return m, single && native(q.first) == 0 && stateBits(m.States) == bits && bits != 0
	case unix.NFT_CT_MARK:
		return iptables.ConnMark{Value: native(q.first), Mask: maskOf(q.value), Not: q.inverted}, single && native(q.xor) == 0
	case unix.NFT_CT_DIRECTION:
		n, ok := q.one()
		return iptables.ConnDirection{Reply: n == 1}, ok && n < 2 && !q.inverted
	}
	return nil, false
}

func payloadCondition(q question) (iptables.Match, bool) {
	if q.from.key == unix.NFT_PAYLOAD_TRANSPORT_HEADER {
		return transportCondition(q)
	}
	at, size, ok := addressAt(q.from)
	if !ok {
		return nil, false
	}
	if q.set != nil {
		if q.set.keyLen != size || q.mask != nil {
			return nil, false
		}
		return q.set.condition(at, q.inverted)
	}
	if !bytes.Equal(q.first, q.last) && len(q.first) == size && q.mask == nil {
		return addressCondition(at.Side, q.inverted, []bounds{{string(q.first), string(q.last)}})
	}
	p, ok := q.prefix(size)
	if !ok {
		return nil, false
	}
	m, reason := addresses(at.Side, q.inverted, p)
	return m, m != nil && reason == ""
}

// addressAt says which address stands at a place of the network header, and of
// how many bytes it is.
func addressAt(s source) (iptables.Place, int, bool) {
	for _, four := range []bool{true, false} {
		for _, side := range []iptables.Side{iptables.SrcSide, iptables.DstSide} {
			size := 16
			if four {
				size = 4
			}
			if s.key == unix.NFT_PAYLOAD_NETWORK_HEADER && s.offset == addressOffset(side, four) && int(s.n) <= size {
				// 12 is also inside of an IPv6 source, 16 between the two: no prefix of ours begins there.
				return iptables.Place{Side: side}, size, true
			}
		}
	}
	return iptables.Place{}, 0, false
}

// prefix reads a comparison of an address: of its first bytes, or under a mask.
func (q question) prefix(size int) (netip.Prefix, bool) {
	if !bytes.Equal(q.first, q.last) || len(q.first) > size {
		return netip.Prefix{}, false
	}
	full := make([]byte, size)
	copy(full, q.first)
	addr, _ := netip.AddrFromSlice(full)
	bits := len(q.first) * 8
	if q.mask != nil {
		bits = leadingOnes(q.mask)
		if len(q.mask) != size || !bytes.Equal(q.mask, prefixMask(size, bits)) {
			return netip.Prefix{}, false
		}
	}
	p := netip.PrefixFrom(addr, bits)
	return p, p == p.Masked()
}

func leadingOnes(mask []byte) int {
	n := 0
	for n < len(mask)*8 && mask[n/8]&(0x80>>(n%8)) != 0 {
		n++
	}
	return n
}
