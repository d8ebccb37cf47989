package nftables

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// matchText is a condition as nft prints it; "" if another one of the rule says
// it already. all are the rule's conditions.
func matchText(m iptables.Match, all []iptables.Match) string {
	switch m := m.(type) {
	case iptables.InInterface:
		return "iifname " + not(m.Not) + interfaceText(m.Name)
	case iptables.OutInterface:
		return "oifname " + not(m.Not) + interfaceText(m.Name)
	case iptables.Source, iptables.Destination, iptables.InSet:
		return addressText(m)
	case iptables.Protocol:
		if !m.Not && slices.ContainsFunc(all, isTransport) {
			return "" // "tcp dport" implies it
		}
		return "meta l4proto " + not(m.Not) + protocolText(m.Number)
	case iptables.SourcePort, iptables.DestinationPort, iptables.MultiPort:
		return portText(m, transportWord(protocol(all)))
	case iptables.Opening:
		return "tcp flags " + not(m.Not) + "syn / fin,syn,rst,ack"
	case iptables.PacketMark:
		return "meta mark " + markText(m.Not, m.Value, m.Mask)
	case iptables.ConnMark:
		return "ct mark " + markText(m.Not, m.Value, m.Mask)
	case iptables.Opaque:
		return "(" + strings.Join(m.Words, " ") + ")"
	}
	return stateText(m)
}

// stateText is a condition on a connection, an owner or a socket.
func stateText(m iptables.Match) string {
	switch m := m.(type) {
	case iptables.ConnState:
		return "ct state " + statesText(m)
	case iptables.ConnDirection:
		if m.Reply {
			return "ct direction reply"
		}
		return "ct direction original"
	case iptables.UIDOwner:
		return "meta skuid " + m.Range.String()
	case iptables.GIDOwner:
		return "meta skgid " + m.Range.String()
	case iptables.TransparentSocket:
		if m.NoWildcard {
			return "socket transparent 1"
		}
		return "socket transparent 1 socket wildcard 0"
	}
	return ""
}

func not(inverted bool) string {
	if inverted {
		return "!= "
	}
	return ""
}

// interfaceText quotes a name; nft's wildcard is "*".
func interfaceText(name string) string {
	if prefix, ok := strings.CutSuffix(name, "+"); ok {
		name = prefix + "*"
	}
	return `"` + name + `"`
}

func addressText(m iptables.Match) string {
	list := iptables.PrefixesOf(m)
	word := "ip "
	if list[0].Addr().Is6() {
		word = "ip6 "
	}
	at, inverted, _ := iptables.PlaceOf(m)
	side := map[iptables.Side]string{iptables.SrcSide: "saddr ", iptables.DstSide: "daddr "}[at.Side]
	var texts []string
	for _, r := range iptables.Ranges(list) {
		texts = append(texts, addrRangeText(r))
	}
	if len(texts) == 1 {
		return word + side + not(inverted) + texts[0]
	}
	return word + side + not(inverted) + setText(texts)
}

func setText(elements []string) string { return "{ " + strings.Join(elements, ", ") + " }" }

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// addrRangeText prints a range as a prefix where it is one.
func addrRangeText(r iptables.AddrRange) string {
	if list := r.Prefixes(); len(list) == 1 {
		return prefixText(list[0])
	}
	return r.First.String() + "-" + r.Last.String()
}

func portText(m iptables.Match, word string) string {
	at, inverted, _ := iptables.PlaceOf(m)
	side := map[iptables.Side]string{iptables.SrcSide: " sport ", iptables.DstSide: " dport "}[at.Side]
	var texts []string
	for _, r := range iptables.PortsOf(m) {
		texts = append(texts, strings.ReplaceAll(r.String(), ":", "-"))
	}
	if len(texts) == 1 {
		return word + side + not(inverted) + texts[0]
	}
	return word + side + not(inverted) + setText(texts)
}

// protocolText spells the two names that differ between the tools.
func protocolText(number uint8) string {
	return iptables.ProtocolName(number)
}

func markText(inverted bool, value, mask uint32) string {
	if mask == iptables.FullMask {
		return not(inverted) + fmt.Sprintf("0x%08x", value)
	}
	op := "=="
	if inverted {
		op = "!="
	}
	return fmt.Sprintf("& 0x%08x %s 0x%08x", mask, op, value)
}

func statesText(m iptables.ConnState) string {
	names := make([]string, len(m.States))
	for i, s := range m.States {
		names[i] = strings.ToLower(string(s))
	}
	text := strings.Join(names, ",")
	if m.Not {
		return "! " + text
	}
	return text
}
