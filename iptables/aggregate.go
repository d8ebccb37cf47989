package iptables

import (
	"net/netip"
	"slices"
)

// AddrRange is the addresses from First to Last, both included, of one family.
type AddrRange struct{ First, Last netip.Addr }

// RangeOf is the addresses of a prefix.
func RangeOf(p netip.Prefix) AddrRange {
	first := numberOf(p.Addr())
	host := ones(p.Addr().BitLen() - p.Bits())
	return AddrRange{first.andNot(host).addr(p.Addr().BitLen()), first.or(host).addr(p.Addr().BitLen())}
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
// without a gap. IPv6 compares as behind all of IPv4, and nothing is next to its end.
func touches(a, b AddrRange) bool {
	return b.First.Compare(a.Last) <= 0 || a.Last.Next() == b.First
}

// Prefixes is the shortest list of prefixes that holds exactly these addresses,
// ascending.
func (r AddrRange) Prefixes() []netip.Prefix {
	size := r.First.BitLen()
	first, last := numberOf(r.First), numberOf(r.Last)
	var out []netip.Prefix
	for {
		free := min(first.trailingZeros(), size) // host bits of the widest prefix that begins here
		for last.less(first.or(ones(free))) {
			free--
		}
		out = append(out, netip.PrefixFrom(first.addr(size), size-free))
		end := first.or(ones(free))
		if !end.less(last) {
			return out
		}
		first = end.next()
	}
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
