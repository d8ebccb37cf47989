package iptables

import (
	"net/netip"
	"slices"
)

// AddrRange is the addresses from First to Last, both included, of one family.
type AddrRange struct{ First, Last netip.Addr }

// RangeOf is the addresses of a prefix.
func RangeOf(p netip.Prefix) AddrRange { return AddrRange{p.Masked().Addr(), lastOf(p)} }

// lastOf is the highest address of a prefix: its host bits all ones.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// Ranges sorts prefixes, IPv4 first, and joins those that overlap or touch.
func Ranges(prefixes []netip.Prefix) []AddrRange {
	ranges := make([]AddrRange, len(prefixes))
	for i, p := range prefixes {
		ranges[i] = RangeOf(p)
	}
	slices.SortFunc(ranges, func(a, b AddrRange) int { return a.First.Compare(b.First) })
	joined := ranges[:0]
	for _, r := range ranges {
		if n := len(joined) - 1; n >= 0 && touches(joined[n], r) {
			if joined[n].Last.Less(r.Last) {
				joined[n].Last = r.Last
			}
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// touches says whether b, which does not begin before a, overlaps it or follows
// without a gap.
func touches(a, b AddrRange) bool {
	if a.First.BitLen() != b.First.BitLen() {
		return false
	}
	return b.First.Compare(a.Last) <= 0 || a.Last.Next() == b.First
}

// Prefixes is the shortest list of prefixes that holds exactly these addresses,
// ascending.
func (r AddrRange) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for first := r.First; first.IsValid() && first.Compare(r.Last) <= 0; {
		p := r.widest(first)
		out = append(out, p)
		first = lastOf(p).Next()
	}
	return out
}

// widest is the largest prefix that begins at first and stays within the range.
func (r AddrRange) widest(first netip.Addr) netip.Prefix {
	best := Host(first)
	for bits := first.BitLen() - 1; bits >= 0; bits-- {
		p := netip.PrefixFrom(first, bits)
		if p.Masked().Addr() != first || r.Last.Less(lastOf(p)) {
			break
		}
		best = p
	}
	return best
}

// Aggregate is the shortest list of prefixes that holds the same addresses,
// IPv4 first, ascending. It is one list for all spellings of one set.
func Aggregate(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, r := range Ranges(prefixes) {
		out = append(out, r.Prefixes()...)
	}
	return out
}
