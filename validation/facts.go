package validation

import (
	"net/netip"

	"github.com/sluicemesh/sluice/iptables"
)

// Facts is what Plan has to know about the process and its namespace.
type Facts struct {
	UID, GID uint32 // those of the process, by which its sockets are owned

	SetIDs   bool // may open sockets as somebody else: CAP_SETUID and CAP_SETGID
	NetRaw   bool // may send raw packets: CAP_NET_RAW
	NetAdmin bool // may set marks and be transparent: CAP_NET_ADMIN

	// Attach leaves the proxy's ports to the proxy that listens there.
	Attach bool
	// ProbePort is the port that probes dial where the policy does not ask for
	// another one.
	ProbePort iptables.Port

	Families []FamilyFacts // those that are programmed, IPv4 first
}

// FamilyFacts is what a namespace has of one family.
type FamilyFacts struct {
	Family iptables.Family
	// Addr is an address of the pod that is not on lo; zero if it has none yet.
	Addr netip.Addr
	// Interface is where Addr is; "" without Addr.
	Interface string
	// AllHosts says that Interface is a member of the group of all hosts, which
	// holds for every IPv4 interface; without it packets would leave.
	AllHosts bool
	// Passthrough says that 127.0.0.6 or ::6 is local.
	Passthrough bool
}

// outsiders are addresses that belong to nobody.
type outsiders struct{ server, client, confined netip.Addr }

// documented: RFC 5737, RFC 3849 and, for packets that may not go further than
// this host, RFC 6676 with interface-local scope.
func documented(f iptables.Family) outsiders {
	if f == iptables.V6 {
		return outsiders{netip.MustParseAddr("2001:db8::5:199"), netip.MustParseAddr("2001:db8::7:199"), netip.MustParseAddr("ff01::db8:0:199")}
	}
	return outsiders{netip.MustParseAddr("192.0.2.199"), netip.MustParseAddr("203.0.113.199"), netip.MustParseAddr("192.0.2.199")}
}

// allHosts is the group that every host is in without telling anybody.
func allHosts(f iptables.Family) netip.Addr {
	if f == iptables.V6 {
		return netip.MustParseAddr("ff02::1")
	}
	return netip.MustParseAddr("224.0.0.1")
}
