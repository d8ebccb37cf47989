package explain

import (
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// settingOf names the setting that made a rule: as the rule's maker noted it,
// as its comment says, or as its shape shows in a mesh's chains.
func settingOf(s iptables.Step) string {
	if s.Rule.Why != "" {
		return s.Rule.Why
	}
	if why, ok := strings.CutPrefix(s.Rule.Comment, "sluice: "); ok {
		return why
	}
	if !iptables.Own(s.Table, s.Chain) {
		return ""
	}
	for _, shape := range shapes() {
		if shape.chain == s.Chain && targets(s.Rule, shape.target) && mentions(s.Rule, shape.match) {
			return shape.setting
		}
	}
	return ""
}

// shape is how a rule of a mesh's chain looks, and the setting that makes such rules.
type shape struct {
	chain, target string // the target's chain or name
	match         func(iptables.Match) bool
	setting       string
}

// shapes lists the rules of the mesh's own tool, the first that fits counting.
func shapes() []shape {
	const in, out, ret = iptables.ChainInbound, iptables.ChainOutput, "RETURN"
	return []shape{
		{in, ret, isInInterface, "istio-exclude-interfaces"},
		{in, ret, isPort(15008), "inbound-tunnel-port"},
		{in, ret, isPort(0), "istio-local-exclude-ports"},
		{in, ret, isSource, "exclude-inbound-cidrs"},
		{in, iptables.ChainInRedirect, nil, "istio-inbound-ports"},
		{in, iptables.ChainTProxy, nil, "istio-inbound-ports"},
		{in, iptables.ChainRedirect, nil, "kube-virt-interfaces"},
		{out, ret, isSource, "the proxy's own source address"},
		{out, iptables.ChainInRedirect, isUID, "proxy-uid"},
		{out, iptables.ChainInRedirect, isGID, "proxy-gid"},
		{out, ret, isForeignOwner, "the application talking to itself"},
		{out, ret, isUID, "proxy-uid"},
		{out, ret, isGID, "proxy-gid"},
		{out, iptables.ChainOutputDNS, nil, "redirect-dns"},
		{out, ret, isLoopback, "loopback-cidr"},
		{out, ret, isOutLo, "the application talking to itself"},
		{out, ret, isOutInterface, "istio-exclude-interfaces"},
		{out, ret, isDestination, "istio-service-exclude-cidr"},
		{out, ret, isPort(0), "istio-local-outbound-ports-exclude"},
		{out, iptables.ChainRedirect, isPort(0), "istio-outbound-ports"},
		{out, iptables.ChainRedirect, nil, "istio-service-cidr"},
		{iptables.ChainOutputDNS, "REDIRECT", nil, "redirect-dns"},
		{iptables.ChainDrop, "DROP", nil, "drop-invalid"},
	}
}

func targets(r iptables.Rule, name string) bool {
	switch t := r.Target.(type) {
	case iptables.JumpTo:
		return t.Chain == name
	case iptables.Verdict:
		return string(t) == name
	case iptables.Redirect:
		return name == "REDIRECT"
	}
	return false
}

func mentions(r iptables.Rule, is func(iptables.Match) bool) bool {
	if is == nil {
		return true
	}
	for _, m := range r.Match {
		if is(m) {
			return true
		}
	}
	return false
}

func isSource(m iptables.Match) bool       { _, ok := m.(iptables.Source); return ok }
func isDestination(m iptables.Match) bool  { d, ok := m.(iptables.Destination); return ok && !d.Not }
func isInInterface(m iptables.Match) bool  { i, ok := m.(iptables.InInterface); return ok && !i.Not }
func isOutInterface(m iptables.Match) bool { o, ok := m.(iptables.OutInterface); return ok && !o.Not }
func isOutLo(m iptables.Match) bool        { o, ok := m.(iptables.OutInterface); return ok && o.Name == "lo" }
func isUID(m iptables.Match) bool          { u, ok := m.(iptables.UIDOwner); return ok && !u.Not }
func isGID(m iptables.Match) bool          { g, ok := m.(iptables.GIDOwner); return ok && !g.Not }

// isForeignOwner: "not the proxy", which the mesh's tool writes beside "-o lo".
func isForeignOwner(m iptables.Match) bool {
	switch m := m.(type) {
	case iptables.UIDOwner:
		return m.Not
	case iptables.GIDOwner:
		return m.Not
	}
	return false
}

func isLoopback(m iptables.Match) bool {
	d, ok := m.(iptables.Destination)
	return ok && !d.Not && d.Prefix.Addr().IsLoopback()
}

// isPort recognises a condition on a destination port: on this one, or with 0 on any.
func isPort(p iptables.Port) func(iptables.Match) bool {
	return func(m iptables.Match) bool {
		switch m := m.(type) {
		case iptables.DestinationPort:
			return !m.Not && (p == 0 || m.Range == iptables.OnePort(p))
		case iptables.MultiPort:
			return !m.Not && p == 0
		case iptables.PortInSet:
			return !m.Not && p == 0
		}
		return false
	}
}
