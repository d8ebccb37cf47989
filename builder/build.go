package builder

import (
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Build makes the rules of a family. Mode NONE makes none. The same settings
// give the same rules, in the same order, on every machine.
func Build(c Config, f iptables.Family) iptables.Ruleset {
	b := build{Config: c, family: f, rules: iptables.Ruleset{Family: f}}
	if c.Mode != NoneMode {
		b.hooks()
		b.dropInvalid()
		b.inbound()
		b.outbound()
		b.selfCallMarks()
		b.dnsZones()
	}
	return b.rules.Sorted()
}

// build is one family's rules in the making.
type build struct {
	Config
	family iptables.Family
	rules  iptables.Ruleset
}

// place is a chain that takes rules.
type place struct {
	*build
	table iptables.Table
	chain string
}

func (b *build) in(t iptables.Table, chain string) place { return place{b, t, chain} }

// rule appends one rule; why names the setting that asked for it.
func (p place) rule(why string, target iptables.Target, match ...iptables.Match) {
	r := iptables.Rule{Match: match, Target: target, Why: why}
	if p.Comments {
		r.Comment = "sluice: " + why
	}
	p.rules.Append(p.table, p.chain, r)
}

// each appends one rule for each alternative condition.
func (p place) each(why string, target iptables.Target, alternatives []iptables.Match, match ...iptables.Match) {
	for _, a := range alternatives {
		p.rule(why, target, append(slices.Clone(match), a)...)
	}
}

// capture appends a rule that takes connections, behind a LOG if that is wanted.
func (p place) capture(why string, target iptables.Target, match ...iptables.Match) {
	if p.LogRules {
		p.rule(whyLog, iptables.Log{Prefix: "sluice " + p.chain + " "}, match...)
	}
	p.rule(why, target, match...)
}

// hooks are the jumps of the built-in chains into ours, and all that built-in
// chains ever hold of us.
func (b *build) hooks() {
	b.zoneHooks()
	mangleIn, mangleOut := b.in(iptables.Mangle, iptables.Prerouting), b.in(iptables.Mangle, iptables.Output)
	if b.DropInvalid {
		mangleIn.rule(whyInvalid, iptables.Jump(iptables.ChainDrop), iptables.InState(iptables.StateInvalid))
	}
	if b.TProxied() {
		mangleIn.rule(whyMode, iptables.Jump(iptables.ChainInbound), iptables.TCP())
		mangleOut.rule(whyMode, iptables.Jump(iptables.ChainOutput), iptables.TCP())
	}
	if b.natInbound() {
		b.in(iptables.Nat, iptables.Prerouting).rule(whyInboundPorts, iptables.Jump(iptables.ChainInbound), iptables.TCP())
	}
	natOut := b.in(iptables.Nat, iptables.Output)
	natOut.rule(whyMode, iptables.Jump(iptables.ChainOutput), iptables.TCP())
	if b.DNSOf(b.family).On() {
		natOut.rule(whyDNS, iptables.Jump(iptables.ChainOutput), iptables.UDP(), iptables.ToPort(iptables.OnePort(dnsPort)))
	}
}

// Why a rule is there: the long flag name of the setting that asked for it, or
// what it is where no setting asks.
const (
	whyMode          = "istio-inbound-interception-mode"
	whyInboundPorts  = "istio-inbound-ports"
	whyExcludePorts  = "istio-local-exclude-ports"
	whyExcludeIfaces = "istio-exclude-interfaces"
	whyVirtual       = "kube-virt-interfaces"
	whyTunnel        = "inbound-tunnel-port"
	whyInPort        = "inbound-capture-port"
	whyOutPort       = "envoy-port"
	whyProxyUID      = "proxy-uid"
	whyProxyGID      = "proxy-gid"
	whyLoopback      = "loopback-cidr"
	whyPassthrough   = "the proxy's own source address"
	whyTProxyMark    = "istio-inbound-tproxy-mark"
	whyDNS           = "redirect-dns"
	whyLog           = "log-rules"
	whyExcludeCIDRs  = "istio-service-exclude-cidr"
	whyIncludeCIDRs  = "istio-service-cidr"
	whyOutPorts      = "istio-outbound-ports"
	whyNotOutPorts   = "istio-local-outbound-ports-exclude"
	whyUIDPorts      = "exclude-outbound-ports-for-uids"
	whyNotSources    = "exclude-inbound-cidrs"
	whyGroups        = "owner-groups"
	whyNotGroups     = "owner-groups-exclude"
	whyInvalid       = "drop-invalid"
	whyItself        = "the application talking to itself"
)

// handful is how many ports get a rule each; more are packed with multiport.
const handful = 5

// toPorts are the conditions, each an alternative, that together match a set
// of destination ports.
func toPorts(p Ports) []iptables.Match {
	if len(p.Ranges) <= handful {
		return mapped(p.Ranges, iptables.ToPort)
	}
	return mapped(iptables.PackPorts(p.Ranges), func(pack []iptables.PortRange) iptables.Match {
		if len(pack) == 1 {
			return iptables.ToPort(pack[0])
		}
		return iptables.ToPorts(pack...)
	})
}

func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, 0, len(list))
	for _, a := range list {
		out = append(out, f(a))
	}
	return out
}

func inBy(i Interface) iptables.Match  { return iptables.In(string(i)) }
func outBy(i Interface) iptables.Match { return iptables.Out(string(i)) }

// owners are the conditions, each an alternative, that match the proxy's sockets.
func (b *build) owners() []owner {
	var list []owner
	for _, r := range b.ProxyUIDs {
		list = append(list, owner{iptables.ByUID(r), whyProxyUID})
	}
	for _, r := range b.ProxyGIDs {
		list = append(list, owner{iptables.ByGID(r), whyProxyGID})
	}
	return list
}

type owner struct {
	match iptables.Match
	why   string
}
