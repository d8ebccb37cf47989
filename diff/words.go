package diff

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// endWords name an end on one side: "direct", "In", "port 9999". The port is
// told behind its name where the other side knows the name for another port.
func endWords(e end, names, others map[iptables.Port]string) string {
	switch e.Fate {
	case iptables.Passed:
		if e.Kept {
			return "routed back by its mark"
		}
		return "direct"
	case iptables.Dropped:
		return "dropped"
	case iptables.Unknown:
		return "what sluice does not model (" + e.What + ")"
	}
	text := fmt.Sprintf("port %d", e.Port)
	if name := names[e.Port]; name != "" {
		text = name
		for port, other := range others {
			if other == name && port != e.Port {
				text = fmt.Sprintf("%s (%d)", name, e.Port)
			}
		}
	}
	if e.Fate == iptables.TProxied {
		text += " by TPROXY"
	}
	return text
}

func zoneWords(id uint16) string {
	if id == 0 {
		return "in no conntrack zone"
	}
	return fmt.Sprintf("in conntrack zone %d", id)
}

func markWords(m uint32) string { return fmt.Sprintf("marked %#x", m) }

// loopbackPrefixes are a family's loopback ranges: those that rules name, and
// those that everybody means.
func loopbackPrefixes(f iptables.Family, sets ...iptables.Ruleset) []netip.Prefix {
	list := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	if f == iptables.V6 {
		list = []netip.Prefix{netip.MustParsePrefix("::1/128")}
	}
	for _, rs := range sets {
		for _, c := range rs.Chains {
			for i := range c.Rules {
				for _, m := range c.Rules[i].Match {
					if d, ok := m.(iptables.Destination); ok && d.Prefix.Addr().IsLoopback() && !slices.Contains(list, d.Prefix) {
						list = append(list, d.Prefix)
					}
				}
			}
		}
	}
	return list
}
