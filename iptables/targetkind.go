package iptables

import "slices"

// TargetKind is what is known of a target that this package carries along.
type TargetKind uint8

// The kinds.
const (
	Obscure        TargetKind = iota // nothing: what it does to a packet is not modelled
	Passive                          // looks at the packet and lets it go on
	Rejects                          // discards the packet and tells its sender
	RewritesSource                   // changes where the packet comes from, not where it goes
	Untracks                         // keeps the packet out of conntrack
)

// Kind classifies the targets of other modules.
func (t OpaqueTarget) Kind() TargetKind {
	switch t.Name {
	case "NFLOG", "LOG", "TRACE", "LED", "RATEEST", "IDLETIMER", "AUDIT", "TCPMSS", "TTL", "HL", "DSCP", "TOS", "CLASSIFY", "CHECKSUM", "SET":
		return Passive
	case "REJECT":
		return Rejects
	case "MASQUERADE", "SNAT":
		return RewritesSource
	case "NOTRACK":
		return Untracks
	case "CT":
		if slices.Equal(t.Words, []string{"--notrack"}) {
			return Untracks
		}
	}
	return Obscure
}
