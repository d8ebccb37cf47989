package diff

import (
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
)

// leaving says whether a box has only packets that leave a process.
func (c *comparison) leaving(b box) bool {
	return b.values[dimPath] == c.Var(c.fields[dimPath].first)
}

// ways are direction and interface.
func (c *comparison) ways(b box) string {
	arriving := b.values[dimPath] == c.Var(c.fields[dimPath].first).Not()
	names, but := c.interfaces(b, arriving)
	switch {
	case c.leaving(b) && len(names) == 1 && names[0] == "lo" && !but:
		return " over lo"
	case c.leaving(b):
		return " leaving" + byNames(names, but)
	case arriving:
		return " arriving" + byNames(names, but)
	}
	return byNames(names, but)
}

// interfaces are the names of a box's interfaces; with but those it leaves out.
func (c *comparison) interfaces(b box, arriving bool) (names []string, but bool) {
	var in, out []string
	for i, name := range c.classes {
		if arriving && name == "lo" {
			continue
		}
		if c.And(b.values[dimInterface], c.is(dimInterface, uint32(i))) == bdd.Nothing {
			out = append(out, name)
		} else {
			in = append(in, name)
		}
	}
	switch {
	case len(out) == 0:
		return nil, false
	case slices.Contains(in, "*"):
		return out, true
	}
	return in, false
}

func byNames(names []string, but bool) string {
	text := list(names, func(s string) string { return s }, "and")
	switch {
	case len(names) == 0:
		return ""
	case but:
		return " by any interface but " + text
	}
	return " by " + text
}

// destinations: over lo, anything but loopback is the pod's own address.
func (c *comparison) destinations(b box) string {
	overLo := c.leaving(b) && c.ways(b) == " over lo"
	if overLo && slices.Contains(c.loopbacks, b.values[dimDst].Not()) {
		return " to its own address"
	}
	if overLo && slices.Contains(c.loopbacks, b.values[dimDst]) {
		if p, ok := c.prefixes(dimDst, b.values[dimDst], 1); ok && p[0].IsSingleIP() {
			return " to " + p[0].Addr().String()
		}
	}
	if text := c.addresses(b, dimDst, "to"); text != "" {
		return " " + text
	}
	return ""
}

func (c *comparison) addresses(b box, d dimension, word string) string {
	values := b.values[d]
	if values == bdd.Everything {
		return ""
	}
	const many = 100000
	in, inOK := c.prefixes(d, values, many)
	out, outOK := c.prefixes(d, values.Not(), many)
	name := func(p netip.Prefix) string {
		if p.IsSingleIP() {
			return p.Addr().String()
		}
		return p.String()
	}
	cover := c.cover(d, values)
	gaps, gapsOK := c.prefixes(d, c.Minus(c.within(d, cover), values), many)
	switch {
	case outOK && (!inOK || len(out) < len(in)):
		return word + " any address but " + list(out, name, "and")
	case gapsOK && len(gaps) > 0 && len(gaps) < len(in):
		return word + " " + name(cover) + " but " + list(gaps, name, "and")
	case inOK:
		return word + " " + list(in, name, "and")
	}
	return word + " some addresses"
}

// cover is the smallest prefix that holds all addresses of a set.
func (c *comparison) cover(d dimension, values bdd.Ref) netip.Prefix {
	f := c.fields[d]
	bytes := make([]byte, f.bits/8)
	for depth := range f.bits {
		level, ok := c.Level(values)
		lo, hi := values, values
		if ok && level == f.level(depth) {
			lo, hi = c.Split(values)
		}
		switch bdd.Nothing {
		case lo:
			bytes[depth/8] |= 1 << (7 - depth%8)
			values = hi
		case hi:
			values = lo
		default:
			return prefix(bytes, depth)
		}
	}
	return prefix(bytes, f.bits)
}

func prefix(bytes []byte, bits int) netip.Prefix {
	addr, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(addr, bits)
}
