package iptables

import "net/netip"

// Family is an address family of the Internet protocol.
type Family uint8

// The two families. Their values are the IP version numbers.
const (
	V4 Family = 4
	V6 Family = 6
)

// String returns "IPv4" or "IPv6".
func (f Family) String() string {
	if f == V6 {
		return "IPv6"
	}
	return "IPv4"
}

// Families lists both, IPv4 first: the order of every output.
func Families() []Family { return []Family{V4, V6} }

// FamilyOf returns the family of an address. An IPv4-mapped IPv6 address is IPv6.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return V4
	}
	return V6
}

// Any is the prefix that contains every address of the family.
func (f Family) Any() netip.Prefix {
	if f == V6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// Host is the prefix of one address: /32 or /128.
func Host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
