package explain

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// reason says why a condition does not hold for a packet.
func reason(m iptables.Match, p iptables.Packet) string {
	switch m := m.(type) {
	case iptables.Source:
		return addressReason("from", p.Src, m.Prefix, m.Not)
	case iptables.Destination:
		return addressReason("to", p.Dst, m.Prefix, m.Not)
	case iptables.InInterface:
		return deviceReason("arrives", p.In, m.Name, m.Not)
	case iptables.OutInterface:
		return deviceReason("leaves", p.Out, m.Name, m.Not)
	case iptables.Protocol:
		return protocolReason(p, m)
	case iptables.SourcePort:
		return portReason("source port ", p.SrcPort, m.Range.String(), m.Not)
	case iptables.DestinationPort:
		return portReason("port ", p.DstPort, m.Range.String(), m.Not)
	case iptables.MultiPort:
		return multiPortReason(m, p)
	case iptables.PortInSet:
		if m.Ranges != nil {
			return multiPortReason(iptables.MultiPort{Side: m.Side, Not: m.Not, Ranges: m.Ranges}, p)
		}
		return supposedOfSet(m.Name, m.Not)
	case iptables.InSet:
		return setReason(m, p)
	}
	return stateReason(m, p)
}

// stateReason is reason for what does not stand in the packet's headers.
func stateReason(m iptables.Match, p iptables.Packet) string {
	switch m := m.(type) {
	case iptables.UIDOwner:
		return ownerReason("uid", p.Owner, func(o iptables.Owner) uint32 { return o.UID }, m.Range, m.Not)
	case iptables.GIDOwner:
		return ownerReason("gid", p.Owner, func(o iptables.Owner) uint32 { return o.GID }, m.Range, m.Not)
	case iptables.PacketMark:
		return markReason("packet mark", p.Mark, m.Value, m.Mask, m.Not)
	case iptables.ConnMark:
		return markReason("connection mark", p.ConnMark, m.Value, m.Mask, m.Not)
	case iptables.ConnState:
		return stateNames(m, p)
	case iptables.ConnDirection:
		if m.Reply {
			return "not a reply"
		}
		return "a reply"
	case iptables.Opening:
		return openingReason(m.Not)
	case iptables.TransparentSocket:
		return "no transparent socket has this connection yet"
	case iptables.Opaque:
		return "supposed not to hold: " + strings.Join(m.Words, " ")
	}
	return ""
}

func openingReason(not bool) string {
	if not {
		return "opens a connection"
	}
	return "does not open a connection"
}

func addressReason(way string, a netip.Addr, p netip.Prefix, not bool) string {
	switch {
	case not && p.IsSingleIP():
		return fmt.Sprintf("%s %s, which is excepted", way, a)
	case not:
		return fmt.Sprintf("%s %s, which is in %s", way, a, p)
	case p.IsSingleIP():
		return fmt.Sprintf("%s %s, not %s", way, a, p.Addr())
	}
	return fmt.Sprintf("%s %s, not in %s", way, a, p)
}

func setReason(m iptables.InSet, p iptables.Packet) string {
	way, a := "to", p.Dst
	if m.Side == iptables.SrcSide {
		way, a = "from", p.Src
	}
	switch {
	case m.Elements == nil:
		return supposedOfSet(m.Name, m.Not)
	case m.Not:
		return fmt.Sprintf("%s %s, which is in the set %s", way, a, m.Name)
	}
	return fmt.Sprintf("%s %s, not in the set %s", way, a, m.Name)
}

// supposedOfSet is for a set that holds nobody knows what.
func supposedOfSet(name string, not bool) string {
	if not {
		return "supposed to be in the set " + name
	}
	return "supposed not to be in the set " + name
}

func deviceReason(verb, have, want string, not bool) string {
	switch {
	case have == "" && verb == "leaves":
		return "has just arrived"
	case have == "":
		return "comes from a process here"
	case not:
		return verb + " by " + have
	}
	return verb + " by " + have + ", not " + want
}

func protocolReason(p iptables.Packet, m iptables.Protocol) string {
	have := strings.ToUpper(iptables.ProtocolName(p.Protocol))
	if m.Not {
		return "is " + have
	}
	return "is " + have + ", not " + strings.ToUpper(iptables.ProtocolName(m.Number))
}

func portReason(what string, have iptables.Port, want string, not bool) string {
	if not {
		return what + strconv.Itoa(int(have)) + " is excepted"
	}
	return what + strconv.Itoa(int(have)) + ", not " + want
}

func multiPortReason(m iptables.MultiPort, p iptables.Packet) string {
	have, what := p.DstPort, "port "
	if m.Side == iptables.SrcSide {
		have, what = p.SrcPort, "source port "
	}
	if m.Not {
		return what + strconv.Itoa(int(have)) + " is excepted"
	}
	return what + strconv.Itoa(int(have)) + " is not in the list"
}

func ownerReason(what string, o *iptables.Owner, id func(iptables.Owner) uint32, r iptables.IDRange, not bool) string {
	switch {
	case o == nil:
		return "no socket of this host sends it, so it has no " + what
	case not:
		return fmt.Sprintf("%s is %d", what, id(*o))
	}
	return fmt.Sprintf("%s is %d, not %s", what, id(*o), r)
}

func markReason(what string, have, want, mask uint32, not bool) string {
	if not {
		return fmt.Sprintf("%s is %#x", what, have)
	}
	if mask != iptables.FullMask {
		return fmt.Sprintf("%s %#x is not %#x under %#x", what, have, want, mask)
	}
	return fmt.Sprintf("%s is %#x, not %#x", what, have, want)
}

func stateNames(m iptables.ConnState, p iptables.Packet) string {
	names := make([]string, len(m.States))
	for i, s := range m.States {
		names[i] = string(s)
	}
	if m.Not {
		return "state is " + string(p.State)
	}
	return "state is " + string(p.State) + ", not " + strings.Join(names, " or ")
}
