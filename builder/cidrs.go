package builder

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// CIDRs is a set of address prefixes of both families in the order in which it
// was given. The zero value is the empty set.
type CIDRs struct {
	All      bool // every address; Prefixes is empty then
	Prefixes []netip.Prefix
}

const acceptedCIDR = "an IPv4 or IPv6 prefix such as 10.0.0.0/8, or an address"

// UnmarshalText accepts a comma list of prefixes and addresses, or "*" alone.
func (c *CIDRs) UnmarshalText(text []byte) error {
	v, _, err := parseCIDRs(string(text))
	*c = v
	return err
}

// parseCIDRs is UnmarshalText with its notes, such as masked host bits.
func parseCIDRs(text string) (CIDRs, []string, error) {
	if strings.TrimSpace(text) == "*" {
		return CIDRs{All: true}, nil, nil
	}
	list, notes, err := parseList(text, parseCIDR)
	if err != nil {
		return CIDRs{}, notes, err
	}
	var unique []netip.Prefix
	seen := make(map[netip.Prefix]bool, len(list))
	for _, p := range list {
		if !seen[p] {
			seen[p] = true
			unique = append(unique, p)
		}
	}
	return CIDRs{Prefixes: unique}, notes, nil
}

func parseCIDR(item string) (netip.Prefix, note, error) {
	if item == "*" {
		return netip.Prefix{}, "", &ValueError{item, "a wildcard inside a list", acceptedCIDR + "; or * alone"}
	}
	addrText, bitsText, hasBits := strings.Cut(item, "/")
	addr, err := netip.ParseAddr(addrText)
	if err != nil {
		return netip.Prefix{}, "", &ValueError{item, "not an IP address or prefix", acceptedCIDR}
	}
	if addr.Zone() != "" {
		return netip.Prefix{}, "", &ValueError{item, "a zone has no meaning in a prefix", acceptedCIDR}
	}
	bits := addr.BitLen()
	if hasBits {
		bits, _ = strconv.Atoi(bitsText) // of too many digits, the greatest
		if !digits(bitsText) || bits > addr.BitLen() {
			return netip.Prefix{}, "", &ValueError{item, "prefix length out of range", acceptedCIDR}
		}
	}
	return normalPrefix(item, unmapped(netip.PrefixFrom(addr, bits)))
}

// unmapped turns an IPv4-mapped IPv6 prefix into the IPv4 prefix it means.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

func normalPrefix(item string, p netip.Prefix) (netip.Prefix, note, error) {
	if masked := p.Masked(); masked != p {
		return masked, item + " has host bits set; taken as " + masked.String(), nil
	}
	return p, "", nil
}

// String is the input form.
func (c CIDRs) String() string {
	if c.All {
		return "*"
	}
	return join(c.Prefixes)
}

// Of are the prefixes of one family.
func (c CIDRs) Of(f iptables.Family) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range c.Prefixes {
		if iptables.FamilyOf(p.Addr()) == f {
			list = append(list, p)
		}
	}
	return list
}

// Contains says whether the set holds an address.
func (c CIDRs) Contains(a netip.Addr) bool {
	return c.All || slices.ContainsFunc(c.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// around returns what finds a listed prefix that holds all of another one, in a
// time that does not grow with the list.
func (c CIDRs) around() func(netip.Prefix) (netip.Prefix, bool) {
	listed, lengths := map[netip.Prefix]bool{}, []int{}
	for _, p := range c.Prefixes {
		listed[p] = true
		lengths = appendNew(lengths, p.Bits())
	}
	return func(p netip.Prefix) (netip.Prefix, bool) {
		for _, bits := range lengths {
			if wider := netip.PrefixFrom(p.Addr(), bits).Masked(); bits <= p.Bits() && listed[wider] {
				return wider, true
			}
		}
		return netip.Prefix{}, false
	}
}

// NamesLoopback says whether a listed prefix of the family is a loopback range.
func (c CIDRs) NamesLoopback(f iptables.Family) bool {
	return slices.ContainsFunc(c.Of(f), func(p netip.Prefix) bool { return p.Addr().IsLoopback() })
}

// Loopback is the range that counts as the application talking to itself:
// a prefix within 127.0.0.0/8. IPv6 has one loopback address only.
type Loopback netip.Prefix

const acceptedLoopback = "an IPv4 prefix within 127.0.0.0/8"

// UnmarshalText accepts one IPv4 prefix within 127.0.0.0/8.
func (l *Loopback) UnmarshalText(text []byte) error {
	item := strings.TrimSpace(string(text))
	p, _, _ := parseCIDR(item) // what cannot be read is no IPv4 prefix either
	if !p.Addr().Is4() || !p.Addr().IsLoopback() {
		return &ValueError{item, "not a loopback range", acceptedLoopback}
	}
	*l = Loopback(p)
	return nil
}

// String is the prefix.
func (l Loopback) String() string { return netip.Prefix(l).String() }

// Of is the range in a family.
func (l Loopback) Of(f iptables.Family) netip.Prefix {
	if f == iptables.V6 {
		return iptables.Host(netip.IPv6Loopback())
	}
	return netip.Prefix(l)
}
