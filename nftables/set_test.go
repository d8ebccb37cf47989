package nftables

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// randomCondition compares one side's address or port with a list of several.
func randomCondition(r *rand.Rand) iptables.Match {
	side, not := pick(r, iptables.SrcSide, iptables.DstSide), r.IntN(2) == 0
	for {
		var m iptables.Match
		switch r.IntN(3) {
		case 0:
			m = iptables.PortMatch(side, not, randomPorts(r)...)
		case 1:
			m, _ = addresses(side, not, randomPrefixes(r, []byte{192, 0, 2, 0}, 23)...)
		default:
			m, _ = addresses(side, not, randomPrefixes(r, netip.MustParseAddr("2001:db8::").AsSlice(), 115)...)
		}
		if _, ok := setOf(m); ok {
			return m
		}
	}
}

func randomPorts(r *rand.Rand) []iptables.PortRange {
	var list []iptables.PortRange
	long := r.IntN(2) // without ranges the set is one of keys
	for range 1 + r.IntN(6) {
		first := iptables.Port(pick(r, 1, 255, 256, 511, 65000, 1+r.IntN(65535)))
		last := pick(r, first, first, max(first, 65535))
		if long == 0 {
			last = first
		}
		list = append(list, iptables.PortRange{First: first, Last: last})
	}
	return list
}

func randomPrefixes(r *rand.Rand, base []byte, bits int) []netip.Prefix {
	var list []netip.Prefix
	long := r.IntN(2)
	for range 1 + r.IntN(6) {
		b := slices.Clone(base)
		b[len(b)-1] = byte(r.IntN(256))
		b[len(b)-2] += byte(r.IntN(2))
		addr, _ := netip.AddrFromSlice(b)
		list = append(list, netip.PrefixFrom(addr, len(b)*8-long*r.IntN(len(b)*8-bits)).Masked())
	}
	return list
}

func TestSetsReadBackAsTheConditionTheyWereMadeFor(t *testing.T) {
	r := random(t)
	for range 20 * *rounds {
		m := randomCondition(r)
		s, _ := setOf(m)
		at, inverted, _ := iptables.PlaceOf(m)
		if got, ok := s.condition(at, inverted); !ok || !iptables.SameMatches([]iptables.Match{got}, []iptables.Match{m}) {
			t.Fatalf("%v became %v, %v", m, got, ok)
		}
		if !slices.IsSortedFunc(s.elements, func(a, b element) int { return strings.Compare(a.key, b.key) }) {
			t.Fatalf("%v: elements out of order: %v", m, s.elements)
		}
	}
}

// What the kernel is given for a condition, as "nft --debug=mnl" shows it: the
// key of each element, "!" if it is the end of a range.
func TestSetsHoldTheElementsThatNftWouldSend(t *testing.T) {
	ports := func(list ...iptables.PortRange) iptables.Match {
		return iptables.MultiPort{Side: iptables.DstSide, Ranges: list}
	}
	one := func(p iptables.Port) iptables.PortRange { return iptables.PortRange{First: p, Last: p} }
	nets := func(words ...string) iptables.Match {
		m := iptables.InSet{Side: iptables.DstSide}
		for _, w := range words {
			m.Elements = append(m.Elements, netip.MustParsePrefix(w))
		}
		return m
	}
	const six = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		m    iptables.Match
		want set
	}{
		{ports(one(22), one(443)), set{13, 2, false, keys("\x00\x16", "\x01\xbb")}},
		{ports(iptables.PortRange{First: 22, Last: 255}, one(443)), set{13, 2, true, keys("!\x00\x00", "\x00\x16", "!\x01\x00", "\x01\xbb", "!\x01\xbc")}},
		{ports(iptables.PortRange{First: 0, Last: 1}, iptables.PortRange{First: 9, Last: 65535}), set{13, 2, true, keys("\x00\x00", "!\x00\x02", "\x00\x09")}},
		{nets("192.0.2.1/32", "192.0.2.9/32"), set{7, 4, false, keys("\xc0\x00\x02\x01", "\xc0\x00\x02\x09")}},
		{nets("192.0.2.0/31", "192.0.2.255/32"), set{7, 4, true, keys("!\x00\x00\x00\x00", "\xc0\x00\x02\x00", "!\xc0\x00\x02\x02", "\xc0\x00\x02\xff", "!\xc0\x00\x03\x00")}},
		{nets("2001:db8::1/128", "2001:db8::9/128"), set{8, 16, false, keys(six+"\x01", six+"\x09")}},
	} {
		got, ok := setOf(c.m)
		if !ok || got.keyType != c.want.keyType || got.keyLen != c.want.keyLen || got.interval != c.want.interval || !slices.Equal(got.elements, c.want.elements) {
			t.Errorf("%v: got %+v, want %+v", c.m, got, c.want)
		}
	}
	for _, m := range []iptables.Match{nets("192.0.2.0/25", "192.0.2.128/26"), iptables.TCP(), iptables.Source{Prefix: netip.MustParsePrefix("192.0.2.0/24")}} {
		if s, ok := setOf(m); ok {
			t.Errorf("%v has the set %+v, want none: it is one range", m, s)
		}
	}
}

func keys(list ...string) []element {
	elements := make([]element, len(list))
	for i, key := range list {
		elements[i].key, elements[i].end = strings.CutPrefix(key, "!")
	}
	return elements
}

func TestSetsOfOtherKindsAreNoConditionOfOurs(t *testing.T) {
	port, addr := iptables.Place{Side: iptables.DstSide, Port: true}, iptables.Place{Side: iptables.DstSide}
	for name, c := range map[string]struct {
		set set
		at  iptables.Place
	}{
		"no port":                     {set{keyLen: 2}, port},
		"no port, only an end":        {set{keyLen: 2, interval: true, elements: keys("!\x00\x00")}, port},
		"pairs of ports":              {set{keyLen: 4, elements: keys("\x00\x16\x00\x16")}, port},
		"a key of another length":     {set{keyLen: 4, elements: keys("\x00")}, port},
		"no address":                  {set{keyLen: 4}, addr},
		"an address of three bytes":   {set{keyLen: 4, elements: keys("\xc0\x00\x02")}, addr},
		"a range that ends shorter":   {set{keyLen: 3, interval: true, elements: keys("\xc0\x00\x02\x01")}, addr},
		"a range that begins shorter": {set{keyLen: 4, interval: true, elements: keys("\xc0\x00\x02")}, addr},
		"every address":               {set{keyLen: 4, interval: true, elements: keys("\x00\x00\x00\x00")}, addr},
		"an address and a longer one": {set{keyLen: 4, elements: keys("\xc0\x00\x02\x01", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")}, addr},
	} {
		if m, ok := c.set.condition(c.at, false); ok {
			t.Errorf("%s: got %v, want none", name, m)
		}
	}
	for key, want := range map[string]iptables.Port{"": 0, "\x07": 0, "\x01\xbb": 443, "\x01\xbb\x00": 0} {
		if got := keyPort(key); got != want {
			t.Errorf("%q: got port %d, want %d", key, got, want)
		}
	}
	strange := set{keyLen: 1, interval: true, elements: keys("\x05", "!\x07", "!\x09", "\x10", "\x20", "!\x22", "\xf0")}
	if got, want := strange.ranges(), []bounds{{"\x05", "\x06"}, {"\x10", "\x1f"}, {"\x20", "\x21"}, {"\xf0", "\xff"}}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
