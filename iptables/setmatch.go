package iptables

import "net/netip"

// AddressMatch is the condition that one side's address lies in a list of
// prefixes of one family, aggregated: Source or Destination for one prefix, InSet
// for more, named by SetName. It is nil if the list holds every address.
func AddressMatch(side Side, not bool, list ...netip.Prefix) Match {
	list = Aggregate(list)
	switch {
	case list[0].Bits() == 0:
		return nil
	case len(list) > 1:
		return InSet{Name: SetName(list), Side: side, Not: not, Elements: list}
	case side == SrcSide:
		return Source{Prefix: list[0], Not: not}
	}
	return Destination{Prefix: list[0], Not: not}
}

// PortMatch is the condition that one side's port lies in a list of ranges,
// joined: SourcePort or DestinationPort for one range, MultiPort for more.
func PortMatch(side Side, not bool, list ...PortRange) Match {
	list = JoinPorts(list)
	switch {
	case len(list) > 1:
		return MultiPort{Side: side, Not: not, Ranges: list}
	case side == SrcSide:
		return SourcePort{Range: list[0], Not: not}
	}
	return DestinationPort{Range: list[0], Not: not}
}
