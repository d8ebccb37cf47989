package iptables

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

type headReader func(value string, not bool) (Match, error)

// headOption returns the reader of an option that belongs to no module, in
// short or long form; nil for any other.
func headOption(name string) headReader {
	switch name {
	case "-s", "--source", "--src":
		return parseSource
	case "-d", "--destination", "--dst":
		return parseDestination
	case "-i", "--in-interface":
		return func(v string, not bool) (Match, error) { return InInterface{v, not}, nil }
	case "-o", "--out-interface":
		return func(v string, not bool) (Match, error) { return OutInterface{v, not}, nil }
	case "-p", "--protocol":
		return parseProtocol
	}
	return nil
}

func parseSource(v string, not bool) (Match, error) {
	p, err := parsePrefix(v)
	return Source{p, not}, err
}

func parseDestination(v string, not bool) (Match, error) {
	p, err := parsePrefix(v)
	return Destination{p, not}, err
}

// parsePrefix reads "10.0.0.0/8", a bare address, and "10.0.0.0/255.0.0.0".
func parsePrefix(s string) (netip.Prefix, error) {
	addrText, maskText, found := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(addrText)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !found {
		return Host(addr), nil
	}
	if length, err := strconv.Atoi(maskText); err == nil {
		return addr.Prefix(length)
	}
	mask, err := netip.ParseAddr(maskText)
	if err != nil {
		return netip.Prefix{}, err
	}
	length, ok := maskLength(mask)
	if !ok || mask.Is4() != addr.Is4() {
		return netip.Prefix{}, fmt.Errorf("netmask %s has no length", mask)
	}
	return addr.Prefix(length)
}

// maskLength counts the bits of a netmask; only contiguous ones have a length.
func maskLength(mask netip.Addr) (int, bool) {
	n := 0
	for _, b := range mask.AsSlice() {
		n += bits.LeadingZeros8(^b)
	}
	network, _ := mask.Prefix(n)
	return n, network.Addr() == mask
}

func parseProtocol(v string, not bool) (Match, error) {
	v = strings.ToLower(v)
	if v == "icmpv6" {
		return Protocol{ProtoICMPv6, not}, nil
	}
	if n, ok := protocolNumber(v); ok {
		return Protocol{n, not}, nil
	}
	n, err := strconv.ParseUint(v, 10, 8)
	number := err == nil
	every := v == "all" || number && n == 0
	switch {
	case every && !not:
		return nil, nil
	case every || !number: // no protocol at all, or a name we don't know
		return Opaque{Words: negate(not, "-p", v)}, nil
	}
	return Protocol{uint8(n), not}, nil
}
