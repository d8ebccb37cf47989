package builder

import (
	"net/netip"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Config is the settings of one pod, parsed and free of contradictions. Parse
// makes it; Default is the one without any settings.
type Config struct {
	Mode Mode

	OutboundPort iptables.Port // Out: where captured outbound connections go
	InboundPort  iptables.Port // In: where captured inbound connections go
	TunnelPort   iptables.Port // never captured (HBONE)
	DNSPort      iptables.Port // the agent's DNS listener

	ProxyUIDs, ProxyGIDs IDs // the proxy owners

	Inbound              InboundPorts
	ExcludeInboundCIDRs  CIDRs // sources
	ExcludeOutboundPorts Ports
	IncludeOutboundPorts Ports
	IncludeCIDRs         CIDRs
	ExcludeCIDRs         CIDRs
	ExcludePortsForUIDs  []UIDExclusion

	ExcludeInterfaces []Interface
	VirtualInterfaces []Interface // of virtual machines inside the pod

	OwnerGroups        Groups
	ExcludeOwnerGroups IDs
	Loopback           Loopback
	DNS                DNS
	DropInvalid        bool

	TProxyMark  Mark
	TProxyTable RouteTable

	Families FamilyChoice
	Backend  Backend
	Counters bool // nf_tables counts only if asked to
	Comments bool // a comment on every rule says which setting made it
	LogRules bool // a LOG rule before every capture
}

// InboundPorts is which ports of the pod are captured: all except some, or
// only some. The zero value captures none.
type InboundPorts struct {
	Except bool // Ports are those left alone; else those captured
	Ports  Ports
}

// None says whether no inbound port is captured.
func (i InboundPorts) None() bool { return !i.Except && i.Ports.Empty() }

// Captures says whether a port is captured.
func (i InboundPorts) Captures(p iptables.Port) bool { return i.Ports.Contains(p) != i.Except }

// Default is the configuration without any setting: the proxy's own ports and
// owner, nothing captured.
func Default() Config {
	return Config{
		Mode:         RedirectMode,
		OutboundPort: 15001,
		InboundPort:  15006,
		TunnelPort:   15008,
		DNSPort:      15053,
		ProxyUIDs:    IDs{iptables.OneID(1337)},
		ProxyGIDs:    IDs{iptables.OneID(1337)},
		Loopback:     Loopback(netip.MustParsePrefix("127.0.0.1/32")),
		TProxyMark:   1337,
		TProxyTable:  133,
		Families:     FamiliesAuto,
		Backend:      BackendAuto,
	}
}

// IsProxy says whether a socket's owner is the proxy.
func (c Config) IsProxy(o *iptables.Owner) bool {
	return o != nil && (c.ProxyUIDs.Contains(o.UID) || c.ProxyGIDs.Contains(o.GID))
}

// TProxied says whether inbound connections reach the proxy by TPROXY.
func (c Config) TProxied() bool { return c.Mode == TProxyMode && !c.Inbound.None() }

// DNSOf is DNS capture as it is in force in a family: an exclusion of port 53
// leaves all of it alone.
func (c Config) DNSOf(f iptables.Family) DNS {
	if c.ExcludeOutboundPorts.Contains(dnsPort) {
		return DNS{}
	}
	return c.DNS.Of(f)
}

const dnsPort iptables.Port = 53

// Passthrough is the source address from which the proxy hands an inbound
// connection to the application: 127.0.0.6 or ::6.
func Passthrough(f iptables.Family) netip.Addr {
	if f == iptables.V6 {
		return netip.AddrFrom16([16]byte{15: 6})
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 6})
}

// FamilyChoice says which families are programmed.
type FamilyChoice string

const acceptedFamilies = "auto, v4, v6 or dual"

// The choices. Auto: IPv4, and IPv6 if the namespace has it enabled.
const (
	FamiliesAuto FamilyChoice = "auto"
	FamiliesV4   FamilyChoice = "v4"
	FamiliesV6   FamilyChoice = "v6"
	FamiliesDual FamilyChoice = "dual"
)

// UnmarshalText accepts auto, v4, v6 and dual, in any letter case.
func (f *FamilyChoice) UnmarshalText(text []byte) error {
	switch v := FamilyChoice(strings.ToLower(strings.TrimSpace(string(text)))); v {
	case FamiliesAuto, FamiliesV4, FamiliesV6, FamiliesDual:
		*f = v
		return nil
	}
	return &ValueError{string(text), "unknown choice of families", acceptedFamilies}
}

// Wants says whether a family is asked for; with auto, possibly.
func (f FamilyChoice) Wants(family iptables.Family) bool {
	switch f {
	case FamiliesV4:
		return family == iptables.V4
	case FamiliesV6:
		return family == iptables.V6
	}
	return true
}

// Backend is the way in which rules reach the kernel.
type Backend string

const acceptedBackend = "auto, nftables, iptables, iptables-nft or iptables-legacy"

// The backends. Auto: iptables if the machine has a usable one, else nf_tables
// over netlink; a namespace that already has our rules keeps its backend.
const (
	BackendAuto           Backend = "auto"
	BackendNftables       Backend = "nftables"
	BackendIptables       Backend = "iptables"
	BackendIptablesNft    Backend = "iptables-nft"
	BackendIptablesLegacy Backend = "iptables-legacy"
)

// UnmarshalText accepts the backends' names, in any letter case.
func (b *Backend) UnmarshalText(text []byte) error {
	switch v := Backend(strings.ToLower(strings.TrimSpace(string(text)))); v {
	case BackendAuto, BackendNftables, BackendIptables, BackendIptablesNft, BackendIptablesLegacy:
		*b = v
		return nil
	}
	return &ValueError{string(text), "unknown backend", acceptedBackend}
}
