package nftables

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// exprWriter writes a rule's expressions: small instructions for the kernel's
// nf_tables machine, the same that nft makes of the rule's text. Everything goes
// through register 1.
type exprWriter struct {
	b     *nfnl.Buffer
	table Table
	// sets are the numbers of the rule's sets within the batch, in the order of
	// its conditions.
	sets []uint32
	only iptables.Family // of the rule
}

func (w *exprWriter) rule(r Rule) {
	w.only = r.Only
	guard := r.Only
	if guard != 0 && !hasAddress(r.Match) {
		w.family(guard)
		guard = 0
	}
	for _, m := range r.Match {
		if guard != 0 && len(iptables.PrefixesOf(m)) > 0 {
			w.family(guard)
			guard = 0
		}
		w.match(m)
	}
	if r.Counted {
		w.close(w.open("counter"))
	}
	w.target(r.Target)
}

func (w *exprWriter) family(f iptables.Family) {
	w.meta(unix.NFT_META_NFPROTO)
	w.compare(false, []byte{familyNumber(f)})
}

// familyNumber is NFPROTO_IPV4, NFPROTO_IPV6, or for neither NFPROTO_INET.
func familyNumber(f iptables.Family) uint8 {
	switch f {
	case iptables.V4:
		return unix.NFPROTO_IPV4
	case iptables.V6:
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_INET
}

func (w *exprWriter) match(m iptables.Match) {
	switch m := m.(type) {
	case iptables.InInterface:
		w.meta(unix.NFT_META_IIFNAME)
		w.compare(m.Not, interfaceBytes(m.Name))
	case iptables.OutInterface:
		w.meta(unix.NFT_META_OIFNAME)
		w.compare(m.Not, interfaceBytes(m.Name))
	case iptables.Source:
		w.prefix(iptables.SrcSide, m.Not, m.Prefix)
	case iptables.Destination:
		w.prefix(iptables.DstSide, m.Not, m.Prefix)
	case iptables.InSet:
		w.inSet(m)
	case iptables.Protocol:
		w.meta(unix.NFT_META_L4PROTO)
		w.compare(m.Not, []byte{m.Number})
	case iptables.SourcePort:
		w.port(iptables.SrcSide)
		w.portRange(m.Not, m.Range)
	case iptables.DestinationPort:
		w.port(iptables.DstSide)
		w.portRange(m.Not, m.Range)
	case iptables.MultiPort:
		w.port(m.Side)
		w.lookup(m.Not)
	case iptables.Opening:
		w.opening(m.Not)
	default:
		w.stateMatch(m)
	}
}

// stateMatch writes a condition on a mark, a connection, an owner or a socket.
func (w *exprWriter) stateMatch(m iptables.Match) {
	switch m := m.(type) {
	case iptables.PacketMark:
		w.meta(unix.NFT_META_MARK)
		w.mark(m.Not, m.Value, m.Mask)
	case iptables.ConnMark:
		w.ct(unix.NFT_CT_MARK)
		w.mark(m.Not, m.Value, m.Mask)
	case iptables.ConnState:
		w.ct(unix.NFT_CT_STATE)
		w.bitwise(native32(stateBits(m.States)), native32(0))
		w.compare(!m.Not, native32(0)) // any of the bits is set: not equal to none
	case iptables.ConnDirection:
		w.ct(unix.NFT_CT_DIRECTION)
		w.compare(false, []byte{directionByte(m)})
	case iptables.UIDOwner:
		w.meta(unix.NFT_META_SKUID)
		w.idRange(m.Range)
	case iptables.GIDOwner:
		w.meta(unix.NFT_META_SKGID)
		w.idRange(m.Range)
	case iptables.TransparentSocket:
		w.socket(socketTransparent, 1)
		if !m.NoWildcard {
			w.socket(socketWildcard, 0)
		}
	}
}

func stateBits(list []iptables.State) uint32 {
	var bits uint32
	for _, have := range list {
		for _, s := range states() {
			if s.state == have {
				bits |= s.bit
			}
		}
	}
	return bits
}

func directionByte(d iptables.ConnDirection) byte {
	if d.Reply {
		return 1
	}
	return 0
}

// interfaceBytes is what a name is compared with: 16 bytes, or just the
// beginning for a wildcard.
func interfaceBytes(name string) []byte {
	if n := len(name) - 1; name[n] == '+' {
		return []byte(name[:n])
	}
	full := make([]byte, unix.IFNAMSIZ)
	copy(full, name)
	return full
}

func native32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
func big32(v uint32) []byte    { return binary.BigEndian.AppendUint32(nil, v) }
func big16(v uint16) []byte    { return binary.BigEndian.AppendUint16(nil, v) }

func (w *exprWriter) target(t iptables.Target) {
	switch t := t.(type) {
	case iptables.Verdict:
		w.verdict(verdictCode(t), "")
	case iptables.JumpTo:
		code := int32(unix.NFT_JUMP)
		if t.Goto {
			code = unix.NFT_GOTO
		}
		w.verdict(code, t.Chain)
	case iptables.Redirect:
		w.immediate(unix.NFT_REG_1, big16(uint16(t.Port)))
		w.redirect()
	case iptables.TProxy:
		w.tproxy(t)
	case iptables.SetMark:
		w.setMark(t)
	case iptables.SaveMark:
		w.meta(unix.NFT_META_MARK)
		w.masked(t.NFMask)
		w.ctSet(unix.NFT_CT_MARK)
	case iptables.RestoreMark:
		w.ct(unix.NFT_CT_MARK)
		w.masked(t.CTMask)
		w.metaSet(unix.NFT_META_MARK)
	case iptables.Zone:
		w.immediate(unix.NFT_REG_1, binary.NativeEndian.AppendUint16(nil, t.ID))
		w.ctSet(unix.NFT_CT_ZONE)
	case iptables.Log:
		e := w.open("log")
		w.b.String(unix.NFTA_LOG_PREFIX, t.Prefix)
		w.close(e)
	}
}

func verdictCode(v iptables.Verdict) int32 {
	switch v {
	case iptables.VerdictAccept:
		return 1 // NF_ACCEPT
	case iptables.VerdictReturn:
		return unix.NFT_RETURN
	}
	return 0 // NF_DROP
}

// tproxy marks and accepts only if there is a listener: the kernel ends the
// rule otherwise.
func (w *exprWriter) tproxy(t iptables.TProxy) {
	family := uint32(0)
	if only := max(w.table.Only, w.only); only != 0 {
		family = uint32(familyNumber(only))
	}
	port := uint32(unix.NFT_REG_1)
	if t.On.IsValid() {
		w.immediate(unix.NFT_REG_1, t.On.AsSlice())
		port = unix.NFT_REG_2
	}
	w.immediate(port, big16(uint16(t.Port)))
	e := w.open("tproxy")
	w.b.Uint32(tproxyFamily, family)
	if t.On.IsValid() {
		w.b.Uint32(tproxyAddr, unix.NFT_REG_1)
	}
	w.b.Uint32(tproxyPort, port)
	w.close(e)
	w.setMark(iptables.SetMark{Value: t.Mark, Mask: t.Mask})
	w.verdict(verdictCode(iptables.VerdictAccept), "")
}

func (w *exprWriter) setMark(t iptables.SetMark) {
	if t.Mask == iptables.FullMask {
		w.immediate(unix.NFT_REG_1, native32(t.Value))
	} else {
		w.meta(unix.NFT_META_MARK)
		w.bitwise(native32(^t.Mask), native32(t.Value))
	}
	w.metaSet(unix.NFT_META_MARK)
}

func (w *exprWriter) masked(mask uint32) {
	if mask != iptables.FullMask {
		w.bitwise(native32(mask), native32(0))
	}
}

// The flags of a TCP header (RFC 9293, section 3.1) that tell whether a packet
// opens a connection: of FIN, SYN, RST and ACK only SYN is set.
const (
	tcpFlagsOffset = 13
	openingMask    = 0x17
	openingFlag    = 0x02
)

// The attributes and keys of the expressions "socket" and "tproxy"
// (include/uapi/linux/netfilter/nf_tables.h).
const (
	socketKey         = 1
	socketRegister    = 2
	socketTransparent = 0
	socketWildcard    = 2 // Linux 5.10
	tproxyFamily      = 1
	tproxyAddr        = 2
	tproxyPort        = 3
)
