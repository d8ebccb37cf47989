package iptables

import (
	"fmt"
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
	bits, err := strconv.Atoi(maskText)
	if err != nil {
		bits, err = maskBits(maskText)
	}
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Prefix(bits)
}

// maskBits reads a dotted netmask; only contiguous ones have a prefix length.
func maskBits(s string) (int, error) {
	mask, err := netip.ParseAddr(s)
	if err != nil {
		return 0, err
	}
	bits := 0
	for _, b := range mask.AsSlice() {
		for b&0x80 != 0 {
			b <<= 1
			bits++
		}
	}
	if host, err := mask.Prefix(bits); err != nil || host.Addr() != mask {
		return 0, fmt.Errorf("netmask %s is not contiguous", s)
	}
	return bits, nil
}

func parseProtocol(v string, not bool) (Match, error) {
	v = strings.ToLower(v)
	if v == "all" {
		return nil, nil
	}
	if v == "icmpv6" || v == "ipv6-icmp" {
		return Protocol{ProtoICMPv6, not}, nil
	}
	if n, ok := protocolNumber(v); ok {
		return Protocol{n, not}, nil
	}
	n, err := strconv.ParseUint(v, 10, 8)
	if err != nil {
		return Opaque{Words: negate(not, "-p", v)}, nil //nolint:nilerr // a name we don't know is no error, only opaque
	}
	if n == 0 {
		return nil, nil // any protocol
	}
	return Protocol{uint8(n), not}, nil
}
