package nftables

import (
	"bytes"

	"github.com/sluicemesh/sluice/iptables"
)

// transportCondition reads a question about the TCP or UDP header.
func transportCondition(q question) (iptables.Match, bool) {
	if q.from.offset == tcpFlagsOffset {
		return openingCondition(q)
	}
	return portCondition(q)
}

func openingCondition(q question) (iptables.Match, bool) {
	ours := q.set == nil && q.from.n == 1 && bytes.Equal(q.mask, []byte{openingMask}) && bytes.Equal(q.xor, []byte{0}) &&
		bytes.Equal(q.first, []byte{openingFlag}) && bytes.Equal(q.last, q.first)
	return iptables.Opening{Not: q.inverted}, ours
}

func portCondition(q question) (iptables.Match, bool) {
	at := iptables.Place{Side: iptables.SrcSide, Port: true}
	if q.from.offset == 2 {
		at.Side = iptables.DstSide
	}
	if q.from.n != 2 || q.from.offset > 2 || q.from.offset == 1 || q.mask != nil {
		return nil, false
	}
	if q.set != nil {
		return q.set.condition(at, q.inverted)
	}
	if len(q.first) != 2 {
		return nil, false
	}
	r := iptables.PortRange{First: keyPort(string(q.first)), Last: keyPort(string(q.last))}
	return iptables.PortMatch(at.Side, q.inverted, r), true
}
