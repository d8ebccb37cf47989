package graph

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// conditions are a rule's matches in words: "TCP to port 15008".
func conditions(r iptables.Rule) string {
	var parts []string
	for _, m := range r.Match {
		parts = append(parts, condition(m))
	}
	if len(parts) == 0 {
		return "everything else"
	}
	return strings.Join(parts, ", ")
}

func condition(m iptables.Match) string {
	switch m := m.(type) {
	case iptables.Source:
		return not(m.Not) + "from " + prefix(m.Prefix)
	case iptables.Destination:
		return not(m.Not) + "to " + prefix(m.Prefix)
	case iptables.InInterface:
		return not(m.Not) + "arrives by " + m.Name
	case iptables.OutInterface:
		return not(m.Not) + "leaves by " + m.Name
	case iptables.Protocol:
		return not(m.Not) + strings.ToUpper(iptables.ProtocolName(m.Number))
	case iptables.SourcePort:
		return not(m.Not) + "from port " + m.Range.String()
	case iptables.DestinationPort:
		return not(m.Not) + "port " + m.Range.String()
	case iptables.MultiPort:
		return not(m.Not) + "ports " + ranges(m.Ranges)
	case iptables.UIDOwner:
		return not(m.Not) + "uid " + m.Range.String()
	case iptables.GIDOwner:
		return not(m.Not) + "gid " + m.Range.String()
	}
	return stateCondition(m)
}

func stateCondition(m iptables.Match) string {
	switch m := m.(type) {
	case iptables.PacketMark:
		return not(m.Not) + "marked " + mark(m.Value, m.Mask)
	case iptables.ConnMark:
		return not(m.Not) + "connection marked " + mark(m.Value, m.Mask)
	case iptables.ConnState:
		return not(m.Not) + states(m.States)
	case iptables.ConnDirection:
		if m.Reply {
			return "a reply"
		}
		return "no reply"
	case iptables.Opening:
		return not(m.Not) + "opening"
	case iptables.TransparentSocket:
		return "has a transparent socket"
	case iptables.InSet:
		way := map[iptables.Side]string{iptables.SrcSide: "from", iptables.DstSide: "to"}[m.Side]
		return not(m.Not) + way + " the set " + m.Name
	case iptables.PortInSet:
		way := map[iptables.Side]string{iptables.SrcSide: "from ", iptables.DstSide: ""}[m.Side]
		return not(m.Not) + way + "port in the set " + m.Name
	case iptables.Opaque:
		return strings.Join(m.Words, " ")
	}
	return ""
}

func not(b bool) string {
	if b {
		return "not "
	}
	return ""
}

func prefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func ranges(list []iptables.PortRange) string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = r.String()
	}
	return strings.Join(texts, ",")
}

func states(list []iptables.State) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = strings.ToLower(string(s))
	}
	return strings.Join(texts, " or ")
}

func mark(value, mask uint32) string {
	if mask == iptables.FullMask {
		return fmt.Sprintf("%#x", value)
	}
	return fmt.Sprintf("%#x/%#x", value, mask)
}

// action is a target that lets the packet go on, in words.
func action(t iptables.Target) string {
	switch t := t.(type) {
	case nil:
		return "counted"
	case iptables.SetMark:
		return "marked " + mark(t.Value, iptables.FullMask)
	case iptables.SaveMark:
		return "mark saved"
	case iptables.RestoreMark:
		return "mark restored"
	case iptables.Zone:
		return fmt.Sprintf("zone %d", t.ID)
	case iptables.Log:
		return "logged"
	case iptables.OpaqueTarget:
		return t.Name
	}
	return ""
}
