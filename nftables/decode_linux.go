package nftables

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// source says where a value in a register came from.
type source struct {
	kind      string // the expression: meta, ct, socket, payload, immediate; "" for nothing
	key       uint32 // its key, or the base of a payload
	offset, n uint32 // of a payload
}

// value is what a register holds while a rule is read.
type value struct {
	from      source
	data      []byte // of an immediate
	mask, xor []byte // nil: all of it
	swapped   bool   // to network order
	least     []byte // a lower bound that was compared already
}

// decoder runs a rule's expressions and notes what they ask for and do. It
// knows all that exprWriter writes; anything else makes the rule opaque.
type decoder struct {
	sets      map[string]set
	only      iptables.Family // of the table
	registers [32]value
	rule      Rule
	listener  *iptables.TProxy // a tproxy that waits for its mark and verdict
}

// decode reads a rule. One that is not of our making has one condition that
// cannot be decided, which names its expressions.
func (d decoder) decode(exprs []expr) Rule {
	for _, e := range exprs {
		if !d.expr(e) {
			return opaque(exprs)
		}
	}
	if d.listener != nil || !d.consistent() {
		return opaque(exprs)
	}
	return d.rule
}

// consistent says whether addresses are compared within their family only, and
// ports within a protocol that has them.
func (d *decoder) consistent() bool {
	family := max(d.only, d.rule.Only)
	for _, m := range d.rule.Match {
		for _, p := range iptables.PrefixesOf(m)[:min(1, len(iptables.PrefixesOf(m)))] {
			if iptables.FamilyOf(p.Addr()) != family {
				return false
			}
		}
	}
	return !needsTransport(d.rule.Match, d.rule.Target) || transportWord(protocol(d.rule.Match)) != ""
}

func opaque(exprs []expr) Rule {
	words := []string{"not of our making:"}
	for _, e := range exprs {
		words = append(words, e.name)
	}
	return Rule{Rule: iptables.Rule{Match: []iptables.Match{iptables.Opaque{Words: words}}}}
}

// expr carries out one expression; false if it is not one of ours.
func (d *decoder) expr(e expr) bool {
	if d.rule.Target != nil && e.name != "immediate" && e.name != "meta" {
		return false // a target ends a rule
	}
	switch e.name {
	case "meta":
		return d.meta(e)
	case "ct":
		return d.ct(e)
	case "socket":
		return d.load(e.number(socketRegister), source{kind: "socket", key: e.number(socketKey)})
	case "payload":
		return d.load(e.number(unix.NFTA_PAYLOAD_DREG), source{"payload", e.number(unix.NFTA_PAYLOAD_BASE),
			e.number(unix.NFTA_PAYLOAD_OFFSET), e.number(unix.NFTA_PAYLOAD_LEN)})
	case "bitwise", "byteorder":
		return d.compute(e)
	case "cmp", "range", "lookup":
		return d.ask(e)
	case "immediate":
		return d.immediate(e)
	case "counter":
		d.rule.Counted = true
		d.rule.Count = iptables.Counters{
			Packets: nfnl.Uint64(e.attr[unix.NFTA_COUNTER_PACKETS]), Bytes: nfnl.Uint64(e.attr[unix.NFTA_COUNTER_BYTES]),
		}
		return true
	}
	return d.action(e)
}

// register maps the kernel's numbers: 1-4 are 16 bytes wide, 8-23 are the same
// room in pieces of 4.
func (d *decoder) register(n uint32) *value { return &d.registers[n%uint32(len(d.registers))] }

func (d *decoder) load(register uint32, from source) bool {
	*d.register(register) = value{from: from}
	return register != unix.NFT_REG_VERDICT
}

func (d *decoder) meta(e expr) bool {
	key := e.number(unix.NFTA_META_KEY)
	if e.attr[unix.NFTA_META_SREG] == nil {
		return d.load(e.number(unix.NFTA_META_DREG), source{kind: "meta", key: key})
	}
	if key != unix.NFT_META_MARK {
		return false
	}
	t, ok := markTarget(*d.register(e.number(unix.NFTA_META_SREG)))
	if ok && d.listener != nil {
		set, isSet := t.(iptables.SetMark)
		d.listener.Mark, d.listener.Mask = set.Value, set.Mask
		return isSet
	}
	return ok && d.finish(t)
}

// markTarget says what writing a value to the packet's mark amounts to.
func markTarget(v value) (iptables.Target, bool) {
	switch v.from {
	case source{kind: "immediate"}:
		return iptables.SetMark{Value: native(v.data), Mask: iptables.FullMask}, true
	case source{kind: "meta", key: unix.NFT_META_MARK}:
		return iptables.SetMark{Value: native(v.xor), Mask: ^native(v.mask)}, v.mask != nil
	case source{kind: "ct", key: unix.NFT_CT_MARK}:
		return iptables.RestoreMark{NFMask: iptables.FullMask, CTMask: maskOf(v)}, native(v.xor) == 0
	}
	return nil, false
}

func (d *decoder) ct(e expr) bool {
	key := e.number(unix.NFTA_CT_KEY)
	if e.attr[unix.NFTA_CT_SREG] == nil {
		return d.load(e.number(unix.NFTA_CT_DREG), source{kind: "ct", key: key})
	}
	v := *d.register(e.number(unix.NFTA_CT_SREG))
	switch {
	case key == unix.NFT_CT_MARK && v.from == source{kind: "meta", key: unix.NFT_META_MARK} && native(v.xor) == 0:
		return d.finish(iptables.SaveMark{NFMask: maskOf(v), CTMask: iptables.FullMask})
	case key == unix.NFT_CT_ZONE && v.from == source{kind: "immediate"} && len(v.data) == 2:
		return d.finish(iptables.Zone{ID: binary.NativeEndian.Uint16(v.data)})
	}
	return false
}

// maskOf is the mask that was applied to a mark.
func maskOf(v value) uint32 {
	if v.mask == nil {
		return iptables.FullMask
	}
	return native(v.mask)
}

func native(data []byte) uint32 {
	if len(data) != 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(data)
}

func (d *decoder) finish(t iptables.Target) bool {
	if d.rule.Target != nil || d.listener != nil {
		return false
	}
	d.rule.Target = t
	return true
}

// compute masks or swaps a register in place.
func (d *decoder) compute(e expr) bool {
	v := d.register(e.number(unix.NFTA_BITWISE_SREG))
	if e.number(unix.NFTA_BITWISE_SREG) != e.number(unix.NFTA_BITWISE_DREG) || v.mask != nil || v.swapped {
		return false
	}
	if e.name == "byteorder" {
		v.swapped = e.number(unix.NFTA_BYTEORDER_OP) == unix.NFT_BYTEORDER_HTON
		return v.swapped
	}
	v.mask = e.data(unix.NFTA_BITWISE_MASK)
	v.xor = e.data(unix.NFTA_BITWISE_XOR)
	return len(v.mask) > 0 && len(v.mask) == len(v.xor)
}

func (d *decoder) immediate(e expr) bool {
	register := e.number(unix.NFTA_IMMEDIATE_DREG)
	if register != unix.NFT_REG_VERDICT {
		*d.register(register) = value{from: source{kind: "immediate"}, data: e.data(unix.NFTA_IMMEDIATE_DATA)}
		return true
	}
	v := nfnl.Attr(e.attr[unix.NFTA_IMMEDIATE_DATA], unix.NFTA_DATA_VERDICT)
	code := int32(nfnl.Uint32(nfnl.Attr(v, unix.NFTA_VERDICT_CODE)))
	chain := nfnl.String(nfnl.Attr(v, unix.NFTA_VERDICT_CHAIN))
	if d.listener != nil {
		t := *d.listener
		d.listener = nil
		return code == 1 && t.Mask != 0 && d.finish(t)
	}
	t, ok := verdictTarget(code, chain)
	return ok && d.finish(t)
}

func verdictTarget(code int32, chain string) (iptables.Target, bool) {
	switch code {
	case 0:
		return iptables.Drop(), true
	case 1:
		return iptables.Accept(), true
	case unix.NFT_RETURN:
		return iptables.Return(), true
	case unix.NFT_JUMP, unix.NFT_GOTO:
		return iptables.JumpTo{Chain: chain, Goto: code == unix.NFT_GOTO}, true
	}
	return nil, false
}
