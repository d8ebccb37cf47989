package netns

import (
	"net/netip"
	"slices"
)

// IPv6Status says whether a namespace speaks IPv6.
type IPv6Status uint8

// Disabled means that every interface, and the default for new ones, has
// disable_ipv6 set; one without is enough for Enabled, since packets can pass
// there. Absent means a kernel without IPv6.
const (
	IPv6Enabled IPv6Status = iota + 1
	IPv6Disabled
	IPv6Absent
)

// String is "enabled", "disabled by sysctl" or "absent in the kernel".
func (s IPv6Status) String() string {
	return [...]string{"unknown", "enabled", "disabled by sysctl", "absent in the kernel"}[s]
}

// Facts is what a namespace looks like, for choosing families and for doctor.
type Facts struct {
	IPv6        IPv6Status
	IPv6Off     []string // where net.ipv6.conf.*.disable_ipv6 is 1: "all", "default", interfaces; sorted
	IPv6Default bool     // a default IPv6 route leads out
	Links       []Link   // by index
	Addrs       []Addr   // of both families, in the kernel's order
}

// Link is a network interface.
type Link struct {
	Index uint32
	Name  string
	Up    bool // administratively
}

// Hop is how a namespace sends to an address. The zero Hop: it does not.
type Hop struct {
	Interface string     // lo for the namespace's own addresses
	Source    netip.Addr // that a socket without one of its own gets
}

// LoUp reports whether the loopback interface is up. It is down in a fresh
// namespace, and neither self-calls nor IPv6 routes over lo work then.
func (f Facts) LoUp() bool {
	return slices.ContainsFunc(f.Links, func(l Link) bool { return l.Name == "lo" && l.Up })
}

// LoHasIPv6 reports whether lo accepts IPv6 addresses.
func (f Facts) LoHasIPv6() bool {
	return f.IPv6 == IPv6Enabled && !slices.Contains(f.IPv6Off, "lo")
}

// ReachesIPv6 reports whether the namespace can talk IPv6 beyond its own link:
// it has an address that is neither loopback nor link-local, or a default route.
func (f Facts) ReachesIPv6() bool {
	return f.IPv6Default || slices.ContainsFunc(f.Addrs, leavesLinkIPv6)
}

func leavesLinkIPv6(a Addr) bool {
	ip := a.Prefix.Addr()
	return ip.Is6() && ip != six && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast()
}

// IPs lists the namespace's own addresses, without loopback's and ::6, sorted.
func (f Facts) IPs() []netip.Addr {
	var ips []netip.Addr
	for _, a := range f.Addrs {
		if ip := a.Prefix.Addr(); !ip.IsLoopback() && ip != six {
			ips = append(ips, ip)
		}
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return slices.Compact(ips)
}
