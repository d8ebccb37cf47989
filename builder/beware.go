package builder

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// beware warns where two settings speak of the same thing and the order of the
// policy decides, and where a setting cannot do what it was given for.
func (p *parser) beware() {
	c := p.draft.config
	p.warnEach(whyOutPorts, bothPorts(c.IncludeOutboundPorts, c.ExcludeOutboundPorts))
	p.warnEach(whyIncludeCIDRs, bothCIDRs(c.IncludeCIDRs, c.ExcludeCIDRs))
	p.warnEach(whyVirtual, bothInterfaces(c.VirtualInterfaces, c.ExcludeInterfaces))
	p.warnEach(whyGroups, bothGroups(c.OwnerGroups, c.ExcludeOwnerGroups))
	p.warnEach(whyUIDPorts, proxyExclusions(c))
	if c.DNS.On() && !c.DNS.All && !slices.ContainsFunc(iptables.Families(), func(f iptables.Family) bool { return c.Families.Wants(f) && c.DNSOf(f).On() }) {
		p.warn(p.origin(whyDNS), "no resolver is of a family that is programmed, so no DNS query is captured")
	}
}

// warnEach gives a few warnings of a kind, and the number of the others.
func (p *parser) warnEach(flag string, texts []string) {
	const few = 3
	for i, text := range texts {
		if i == few {
			p.warn(p.origin(flag), fmt.Sprintf("%d more like these", len(texts)-few))
			return
		}
		p.warn(p.origin(flag), text)
	}
}

func bothPorts(included, excluded Ports) (texts []string) {
	in, out := ascending(included.Ranges), ascending(excluded.Ranges)
	for len(in) > 0 && len(out) > 0 {
		if overlap(in[0], out[0]) {
			texts = append(texts, fmt.Sprintf("port %s is excluded too (%s): the exclusion wins", in[0], out[0]))
		}
		if in[0].Last < out[0].Last {
			in = in[1:]
		} else {
			out = out[1:]
		}
	}
	return texts
}

func ascending(ranges []iptables.PortRange) []iptables.PortRange {
	return slices.SortedFunc(slices.Values(ranges), func(a, b iptables.PortRange) int { return cmp.Compare(a.First, b.First) })
}

func bothCIDRs(included, excluded CIDRs) (texts []string) {
	prefixes := included.Prefixes
	if included.All {
		prefixes = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	around := excluded.around()
	for _, in := range prefixes {
		if out, ok := around(in); ok {
			texts = append(texts, fmt.Sprintf("%s is excluded too (%s): the exclusion wins", in, out))
		}
	}
	return texts
}

func bothInterfaces(virtual, excluded []Interface) (texts []string) {
	for _, v := range virtual {
		for _, x := range excluded {
			if x.matches(string(v)) {
				texts = append(texts, fmt.Sprintf("%s is excluded too (%s): the exclusion wins", v, x))
			}
		}
	}
	return texts
}

func bothGroups(included Groups, excluded IDs) (texts []string) {
	for _, in := range included.Include {
		for _, out := range excluded {
			if in.First <= out.Last && out.First <= in.Last {
				texts = append(texts, fmt.Sprintf("group %s is excluded too (%s): the exclusion wins", in, out))
			}
		}
	}
	return texts
}

func proxyExclusions(c Config) (texts []string) {
	for _, x := range c.ExcludePortsForUIDs {
		for _, proxy := range c.ProxyUIDs {
			if x.UIDs.Contains(proxy.First) {
				texts = append(texts, fmt.Sprintf("%s: uid %s is the proxy, for which there are no exclusions", x, proxy))
			}
		}
	}
	return texts
}
