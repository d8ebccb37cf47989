package nftables

import (
	"net/netip"

	"github.com/sluicemesh/sluice/iptables"
)

// element is one element of a kernel set: a key, or in an interval set the
// first key of a range or, with end, the first behind one.
type element struct {
	key string // bytes in network order, so that strings compare as numbers
	end bool
}

// set is the contents of one kernel set.
type set struct {
	keyType  uint32 // nft's number of the data type
	keyLen   int    // bytes
	interval bool
	elements []element
}

// nft's numbers of the data types (enum datatypes of nftables' datatype.h),
// which the kernel only stores.
const (
	typeIPv4 uint32 = 7
	typeIPv6 uint32 = 8
	typePort uint32 = 13
)

// setOf is the kernel set for a condition, and whether the condition has one.
// Addresses that make one range are compared with its bounds.
func setOf(m iptables.Match) (set, bool) {
	switch m := m.(type) {
	case iptables.InSet:
		ranges := iptables.Ranges(m.Elements)
		return addressSet(ranges), len(ranges) > 1
	case iptables.MultiPort:
		return portSet(m.Ranges), true
	}
	return set{}, false
}

func addressSet(list []iptables.AddrRange) set {
	s := set{keyType: typeIPv4, keyLen: 4}
	if list[0].First.Is6() {
		s.keyType, s.keyLen = typeIPv6, 16
	}
	var ranges []bounds
	for _, r := range list {
		ranges = append(ranges, bounds{string(r.First.AsSlice()), string(r.Last.AsSlice())})
	}
	return s.with(ranges)
}

func portSet(list []iptables.PortRange) set {
	var ranges []bounds
	for _, r := range list {
		ranges = append(ranges, bounds{portKey(r.First), portKey(r.Last)})
	}
	return set{keyType: typePort, keyLen: 2}.with(ranges)
}

func portKey(p iptables.Port) string { return string([]byte{byte(p >> 8), byte(p)}) }

// bounds is a range of keys, both included.
type bounds struct{ first, last string }

// with fills the set as nft does: just keys if no range is longer than one, else
// where ranges begin and end, with an end at zero to begin with.
func (s set) with(ranges []bounds) set {
	for _, r := range ranges {
		s.interval = s.interval || r.first != r.last
	}
	zero := string(make([]byte, s.keyLen))
	if s.interval && ranges[0].first != zero {
		s.elements = append(s.elements, element{zero, true})
	}
	for _, r := range ranges {
		s.elements = append(s.elements, element{r.first, false})
		if next := successor(r.last); s.interval && next != zero {
			s.elements = append(s.elements, element{next, true})
		}
	}
	return s
}

// successor is the next key; behind the last one comes zero.
func successor(key string) string {
	b := []byte(key)
	for i := len(b) - 1; i >= 0; i-- {
		b[i]++
		if b[i] != 0 {
			break
		}
	}
	return string(b)
}

// predecessor is the key before.
func predecessor(key string) string {
	b := []byte(key)
	for i := len(b) - 1; i >= 0; i-- {
		b[i]--
		if b[i] != 0xff {
			break
		}
	}
	return string(b)
}

// ranges is the inverse of with, for elements in ascending order. A range ends
// before the next element, whether that is its end or another range's beginning.
func (s set) ranges() []bounds {
	var out []bounds
	open := false
	for _, e := range s.elements {
		if !s.interval {
			out = append(out, bounds{e.key, e.key})
			continue
		}
		if open {
			out[len(out)-1].last = predecessor(e.key)
		}
		if open = !e.end; open {
			out = append(out, bounds{e.key, string(allOnes(s.keyLen))})
		}
	}
	return out
}

func allOnes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// condition is the rule's condition that asks for the set; false if the set is
// of a kind that we do not use: of other keys, or empty, as somebody else's may be.
func (s set) condition(at iptables.Place, inverted bool) (iptables.Match, bool) {
	ranges := s.ranges()
	if !at.Port {
		return addressCondition(at.Side, inverted, ranges)
	}
	if len(ranges) == 0 || s.keyLen != 2 {
		return nil, false
	}
	var list []iptables.PortRange
	for _, r := range ranges {
		list = append(list, iptables.PortRange{First: keyPort(r.first), Last: keyPort(r.last)})
	}
	return iptables.PortMatch(at.Side, inverted, list...), true
}

// addressCondition is the condition on one side's address for ranges of keys.
func addressCondition(side iptables.Side, inverted bool, ranges []bounds) (iptables.Match, bool) {
	var list []netip.Prefix
	for _, r := range ranges {
		first, ok1 := netip.AddrFromSlice([]byte(r.first))
		last, ok2 := netip.AddrFromSlice([]byte(r.last))
		if !ok1 || !ok2 {
			return nil, false
		}
		list = append(list, iptables.AddrRange{First: first, Last: last}.Prefixes()...)
	}
	if len(list) == 0 {
		return nil, false
	}
	m, _ := addresses(side, inverted, list...)
	return m, m != nil
}

func keyPort(key string) iptables.Port {
	if len(key) != 2 {
		return 0
	}
	return iptables.Port(key[0])<<8 | iptables.Port(key[1])
}
