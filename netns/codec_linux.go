package netns

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
)

// What include/uapi/linux has and x/sys does not.
const (
	attrAddrProto = 11 // IFA_PROTO, Linux 5.18
	ruleHeader    = 12 // struct fib_rule_hdr has the layout of struct rtmsg
	ruleInvert    = 2  // FIB_RULE_INVERT
	routeLo       = 1  // LOOPBACK_IFINDEX: lo is first in every namespace
	metricV6      = 1024
)

var errShort = errors.New("too short")

// af is the address family's number in messages; of family 0 it means all.
func af(f iptables.Family) byte {
	switch f {
	case iptables.V4:
		return unix.AF_INET
	case iptables.V6:
		return unix.AF_INET6
	}
	return unix.AF_UNSPEC
}

// ruleBody encodes a wanted rule, or repeats the message of a found one.
func ruleBody(r Rule) (string, error) {
	if r.raw != "" {
		return r.raw, nil
	}
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(unix.FRA_FWMARK, r.Mark)
	ae.Uint32(unix.FRA_FWMASK, r.Mask)
	ae.Uint32(unix.FRA_TABLE, r.Table)
	ae.Uint8(unix.FRA_PROTOCOL, r.Protocol)
	if r.Priority != 0 {
		ae.Uint32(unix.FRA_PRIORITY, r.Priority)
	}
	return body([]byte{0: af(r.Family), 7: unix.FR_ACT_TO_TBL, 11: 0}, ae)
}

// routeBody encodes a wanted route, or repeats the message of a found one.
func routeBody(r Route) (string, error) {
	if r.raw != "" {
		return r.raw, nil
	}
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(unix.RTA_TABLE, r.Table)
	ae.Uint32(unix.RTA_OIF, routeLo)
	if r.Dst.Bits() > 0 {
		ae.Bytes(unix.RTA_DST, r.Dst.Addr().AsSlice())
	}
	scope := byte(unix.RT_SCOPE_HOST)
	if r.family() == iptables.V6 {
		scope = unix.RT_SCOPE_UNIVERSE
	}
	return body([]byte{0: af(r.family()), 1: byte(r.Dst.Bits()), 5: r.Protocol, 6: scope, 7: unix.RTN_LOCAL, 11: 0}, ae)
}

// addrBody encodes a wanted address, or repeats the message of a found one. An
// address without IFA_F_NODAD is tentative until a kernel worker has run, even
// on lo, and a proxy that binds to it meanwhile is refused (net/ipv6/addrconf.c).
func addrBody(a Addr) (string, error) {
	if a.raw != "" {
		return a.raw, nil
	}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, a.Prefix.Addr().AsSlice())
	ae.Bytes(unix.IFA_ADDRESS, a.Prefix.Addr().AsSlice())
	ae.Uint8(attrAddrProto, a.Protocol)
	return body([]byte{0: af(a.family()), 1: byte(a.Prefix.Bits()), 2: unix.IFA_F_NODAD, 4: routeLo, 7: 0}, ae)
}

func body(header []byte, ae *netlink.AttributeEncoder) (string, error) {
	attrs, err := ae.Encode()
	return string(append(header, attrs...)), err
}

// parseRule decodes struct fib_rule_hdr and its attributes.
func parseRule(data []byte) (Rule, error) {
	ad, err := attributes(data, ruleHeader)
	if err != nil {
		return Rule{}, err
	}
	r := Rule{Family: familyOfAF(data[0]), Table: uint32(data[4]), raw: string(data)}
	for ad.Next() {
		switch ad.Type() {
		case unix.FRA_FWMARK:
			r.Mark = ad.Uint32()
		case unix.FRA_FWMASK:
			r.Mask = ad.Uint32()
		case unix.FRA_TABLE:
			r.Table = ad.Uint32()
		case unix.FRA_PRIORITY:
			r.Priority = ad.Uint32()
		case unix.FRA_PROTOCOL:
			r.Protocol = ad.Uint8()
		default:
			r.Also = words(r.Also, ruleSelector(ad))
		}
	}
	r.Also = words(r.Also, ruleKind(data))
	return r, ad.Err()
}

// ruleSelector puts what narrows a rule, and is none of ours, into words.
func ruleSelector(ad *netlink.AttributeDecoder) string {
	switch ad.Type() {
	case unix.FRA_SUPPRESS_PREFIXLEN:
		if ad.Uint32() == 0xffffffff { // how the kernel writes "none"
			return ""
		}
	case unix.FRA_SRC:
		return "from " + addrText(ad.Bytes())
	case unix.FRA_DST:
		return "to " + addrText(ad.Bytes())
	case unix.FRA_IIFNAME:
		return "iif " + ad.String()
	case unix.FRA_OIFNAME:
		return "oif " + ad.String()
	case unix.FRA_PAD:
		return ""
	}
	return fmt.Sprintf("[attribute %d: %x]", ad.Type(), ad.Bytes())
}

// ruleKind puts the header's part into words: prefix lengths, type of service,
// what is done instead of a look-up, inversion.
func ruleKind(h []byte) string {
	if h[1] == 0 && h[2] == 0 && h[3] == 0 && h[7] == unix.FR_ACT_TO_TBL && h[8]&ruleInvert == 0 {
		return ""
	}
	return fmt.Sprintf("[to /%d from /%d tos %d action %d flags %d]", h[1], h[2], h[3], h[7], h[8]&ruleInvert)
}

// parseRoute decodes struct rtmsg and its attributes. The interface is left as
// its number in dev.
func parseRoute(data []byte) (r Route, dev uint32, err error) {
	ad, err := attributes(data, unix.SizeofRtMsg)
	if err != nil {
		return Route{}, 0, err
	}
	f := familyOfAF(data[0])
	dst := LocalDefault(f, 0).Dst.Addr()
	r = Route{Table: uint32(data[4]), Protocol: data[5], raw: string(data)}
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_TABLE:
			r.Table = ad.Uint32()
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_OIF:
			dev = ad.Uint32()
		case unix.RTA_CACHEINFO, unix.RTA_PREF:
		default:
			r.Also = words(r.Also, routeDetail(ad, f))
		}
	}
	r.Dst = netip.PrefixFrom(dst, int(data[1]))
	if data[7] != unix.RTN_LOCAL {
		r.Also = words(fmt.Sprintf("[type %d]", data[7]), r.Also)
	}
	return r, dev, ad.Err()
}

// routeDetail puts what our routes do not have into words.
func routeDetail(ad *netlink.AttributeDecoder, f iptables.Family) string {
	if ad.Type() == unix.RTA_PRIORITY {
		if m := ad.Uint32(); f == iptables.V4 || m != metricV6 {
			return fmt.Sprintf("metric %d", m)
		}
		return ""
	}
	return fmt.Sprintf("[attribute %d: %x]", ad.Type(), ad.Bytes())
}

// parseAddr decodes struct ifaddrmsg and its attributes. IFA_LOCAL, where
// there is one, is the address; IFA_ADDRESS may be the peer's.
func parseAddr(data []byte) (a Addr, dev uint32, err error) {
	ad, err := attributes(data, unix.SizeofIfAddrmsg)
	if err != nil {
		return Addr{}, 0, err
	}
	var local, address netip.Addr
	for ad.Next() {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(ad.Bytes())
		case attrAddrProto:
			a.Protocol = ad.Uint8()
		}
	}
	if !local.IsValid() {
		local = address
	}
	a.Prefix, a.raw = netip.PrefixFrom(local, int(data[1])), string(data)
	return a, native.Uint32(data[4:]), ad.Err()
}

func attributes(data []byte, header int) (*netlink.AttributeDecoder, error) {
	if len(data) < header {
		return nil, errShort
	}
	return netlink.NewAttributeDecoder(data[header:])
}

func familyOfAF(af byte) iptables.Family {
	switch af {
	case unix.AF_INET:
		return iptables.V4
	case unix.AF_INET6:
		return iptables.V6
	}
	return 0
}

func addrText(b []byte) string {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return hex.EncodeToString(b)
	}
	return a.String()
}
