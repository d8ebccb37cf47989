package nftables

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// normal brings a rule into the form of this package: conditions in the order
// of rank, ports and addresses as sorted sets, each of one element in its plain
// form. The reason says why nf_tables cannot express the rule, or is "".
func normal(r iptables.Rule) (iptables.Rule, string) {
	out := iptables.Rule{Comment: r.Comment, Why: r.Why}
	for _, m := range r.Match {
		n, reason := normalMatch(m)
		if reason != "" {
			return r, reason
		}
		if n != nil {
			out.Match = append(out.Match, n)
		}
	}
	sortMatches(out.Match)
	target, reason := normalTarget(r.Target)
	if reason == "" {
		reason = unspeakable(out, target)
	}
	out.Target = target
	return out, reason
}

// normalMatch is nil for a condition that holds for every packet.
func normalMatch(m iptables.Match) (iptables.Match, string) { //nolint:funlen // a table: one line or two for each kind of match
	switch m := m.(type) {
	case iptables.Source:
		return addresses(iptables.SrcSide, m.Not, m.Prefix)
	case iptables.Destination:
		return addresses(iptables.DstSide, m.Not, m.Prefix)
	case iptables.InSet:
		if len(m.Elements) == 0 {
			return m, "a set whose elements are not known"
		}
		return addresses(m.Side, m.Not, m.Elements...)
	case iptables.SourcePort:
		return iptables.PortMatch(iptables.SrcSide, m.Not, m.Range), ""
	case iptables.DestinationPort:
		return iptables.PortMatch(iptables.DstSide, m.Not, m.Range), ""
	case iptables.MultiPort:
		if m.Side == iptables.Either {
			return m, "ports of either side in one rule"
		}
		return iptables.PortMatch(m.Side, m.Not, m.Ranges...), ""
	case iptables.PortInSet:
		if len(m.Ranges) == 0 {
			return m, "a set whose ports are not known"
		}
		return iptables.PortMatch(m.Side, m.Not, m.Ranges...), ""
	case iptables.ConnState:
		m.States = sortedStates(m.States)
		return m, ""
	case iptables.InInterface:
		return m, wildcardProblem(m.Name)
	case iptables.OutInterface:
		return m, wildcardProblem(m.Name)
	case iptables.Opaque:
		return m, "a condition that is not modelled"
	}
	return m, ""
}

// addresses is the condition on one side's address, as the shortest list.
func addresses(side iptables.Side, inverted bool, list ...netip.Prefix) (iptables.Match, string) {
	for _, p := range list {
		if p.Addr().Is4() != list[0].Addr().Is4() {
			return nil, "addresses of both families in one rule"
		}
	}
	m := iptables.AddressMatch(side, inverted, list...)
	if m == nil && inverted {
		return nil, "no address is outside of all of them"
	}
	return m, ""
}

// states lists the conntrack states with their bits in the kernel
// (NF_CT_STATE_BIT of net/netfilter/nft_ct.c).
func states() []stateBit {
	return []stateBit{
		{iptables.StateInvalid, 1}, {iptables.StateEstablished, 2}, {iptables.StateRelated, 4},
		{iptables.StateNew, 8}, {iptables.StateUntracked, 64},
	}
}

type stateBit struct {
	state iptables.State
	bit   uint32
}

func sortedStates(list []iptables.State) []iptables.State {
	var out []iptables.State
	for _, s := range states() {
		if slices.Contains(list, s.state) {
			out = append(out, s.state)
		}
	}
	return out
}

func wildcardProblem(name string) string {
	if name == "+" {
		return "an interface wildcard without a beginning"
	}
	return ""
}

// normalTarget drops what a target only says to be complete.
func normalTarget(t iptables.Target) (iptables.Target, string) {
	switch t := t.(type) {
	case iptables.Verdict:
		if t == iptables.VerdictQueue {
			return t, "QUEUE is not modelled"
		}
	case iptables.TProxy:
		if t.On.IsUnspecified() {
			t.On = netip.Addr{}
		}
		return t, ""
	case iptables.SaveMark:
		if t.CTMask != iptables.FullMask {
			return t, "saving into a part of the connection's mark"
		}
	case iptables.RestoreMark:
		if t.NFMask != iptables.FullMask {
			return t, "restoring into a part of the packet's mark"
		}
	case iptables.OpaqueTarget:
		return t, "a target that is not modelled"
	}
	return t, ""
}

// unspeakable finds what nft could not read back.
func unspeakable(r iptables.Rule, t iptables.Target) string {
	log, _ := t.(iptables.Log)
	proto := protocol(r.Match)
	switch {
	case strings.ContainsRune(r.Comment, '"') || strings.ContainsRune(log.Prefix, '"'):
		return `nft has no way to write a " in a string`
	case len(r.Comment) > maxComment:
		return "a comment of more than 128 bytes"
	case needsTransport(r.Match, t) && transportWord(proto) == "":
		return "ports of a protocol that has none"
	}
	return ""
}

// maxComment is NFTNL_UDATA_COMMENT_MAXLEN of libnftnl.
const maxComment = 128

func needsTransport(matches []iptables.Match, t iptables.Target) bool {
	switch t.(type) {
	case iptables.Redirect, iptables.TProxy:
		return true
	}
	return slices.ContainsFunc(matches, isTransport)
}

// isTransport says whether a condition reads the transport header.
func isTransport(m iptables.Match) bool {
	_, opening := m.(iptables.Opening)
	return opening || isPort(m)
}

func isPort(m iptables.Match) bool {
	switch m.(type) {
	case iptables.SourcePort, iptables.DestinationPort, iptables.MultiPort:
		return true
	}
	return false
}

// protocol is the one protocol that the conditions allow, or 0.
func protocol(matches []iptables.Match) uint8 {
	for _, m := range matches {
		if p, ok := m.(iptables.Protocol); ok && !p.Not {
			return p.Number
		}
	}
	return 0
}

// transportWord is nft's word for the ports of a protocol, or "".
func transportWord(proto uint8) string {
	switch proto {
	case iptables.ProtoTCP:
		return "tcp"
	case iptables.ProtoUDP:
		return "udp"
	}
	return ""
}

// rank orders the conditions of a rule; what sits in the packet's metadata is
// cheapest and first.
func rank(m iptables.Match) int {
	switch m := m.(type) {
	case iptables.InInterface:
		return 0
	case iptables.OutInterface:
		return 1
	case iptables.Source:
		return 2
	case iptables.Destination:
		return 3
	case iptables.InSet:
		if m.Side == iptables.SrcSide {
			return 2
		}
		return 3
	case iptables.Protocol:
		return 4
	case iptables.SourcePort, iptables.DestinationPort, iptables.MultiPort, iptables.Opening:
		return 5
	case iptables.PacketMark:
		return 6
	case iptables.ConnState, iptables.ConnDirection:
		return 7
	case iptables.ConnMark:
		return 8
	case iptables.UIDOwner, iptables.GIDOwner:
		return 9
	}
	return 10
}

func sortMatches(matches []iptables.Match) {
	slices.SortStableFunc(matches, func(a, b iptables.Match) int { return rank(a) - rank(b) })
}
