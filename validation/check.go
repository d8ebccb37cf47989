package validation

import (
	"fmt"
	"net/netip"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// Kind is how a check is done.
type Kind string

// The kinds, in the order in which they are run: what opens nothing and
// confines itself comes first.
const (
	Listeners   Kind = "listeners"   // the ports of the proxy are ours, or in attach mode the proxy's
	Routes      Kind = "routes"      // what TPROXY's mark needs
	Packets     Kind = "packets"     // single packets that cannot leave the pod
	Connections Kind = "connections" // TCP with a secret both ways
	Queries     Kind = "queries"     // UDP with a secret both ways
)

// Returned is the verdict on an answer that TPROXY's mark brings back to the
// proxy instead of letting it leave for the client's address.
const Returned builder.Verdict = "returned"

// Answered is the verdict on the agent's answer to a captured lookup: the client
// gets it from the resolver that it asked.
const Answered builder.Verdict = "answered"

// Identity is a uid and gid that opens a probe's socket.
type Identity struct {
	Name     string // for people: "application", "proxy by gid"
	UID, GID uint32
}

// String is the name with its numbers.
func (i Identity) String() string { return fmt.Sprintf("%s %d:%d", i.Name, i.UID, i.GID) }

func (i Identity) owner() *iptables.Owner { return &iptables.Owner{UID: i.UID, GID: i.GID} }

// Probe is one packet or connection, and what must become of it.
type Probe struct {
	As     Identity // who opens the socket; of no meaning for what arrives
	Packet iptables.Packet
	Path   iptables.Path
	Want   builder.Verdict
	// Origin is, of an answer, from where the client must see it come.
	Origin netip.AddrPort
}

// String says who wants to go where, and how.
func (p Probe) String() string {
	to := fmt.Sprintf("%s to %s", iptables.ProtocolName(p.Packet.Protocol), netip.AddrPortFrom(p.Packet.Dst, uint16(p.Packet.DstPort)))
	if p.Packet.Mark != 0 {
		to += fmt.Sprintf(" with mark %d", p.Packet.Mark)
	}
	if p.Path == iptables.Arriving {
		return fmt.Sprintf("%s from %s", to, p.Packet.Src)
	}
	return fmt.Sprintf("%s from %s as %s by %s", to, p.Packet.Src, p.As, p.Packet.Out)
}

// Check is one line of the report: probes that prove one thing in one way.
type Check struct {
	Name   string // what is proven, as a noun phrase
	Family iptables.Family
	Kind   Kind
	Probes []Probe
	// Impossible says why the check can't be done here; "" if it can.
	Impossible string
}

// String is the check's line without its result.
func (c Check) String() string { return fmt.Sprintf("%s %s (%s)", c.Family, c.Name, c.Kind) }
