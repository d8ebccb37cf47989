package explain

import (
	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// Role is what a local port is for.
type Role string

// The roles of ports that rules capture to.
const (
	Inbound  Role = "In"  // the proxy's inbound port
	Outbound Role = "Out" // the proxy's outbound port
	DNS      Role = "DNS" // the agent's DNS port
)

// Roles names the ports to which rules send connections. Settings know them;
// of a dump they are read from the chain that holds the REDIRECT, and where
// that says nothing from the way the connections took.
func Roles(rs iptables.Ruleset, c *builder.Config) map[iptables.Port]Role {
	if c != nil {
		return map[iptables.Port]Role{c.DNSPort: DNS, c.OutboundPort: Outbound, c.InboundPort: Inbound}
	}
	roles := map[iptables.Port]Role{}
	arriving := reachable(rs, iptables.Prerouting)
	for _, chain := range rs.Chains {
		for i := range chain.Rules {
			port, role := roleOf(chain, chain.Rules[i], arriving)
			if _, known := roles[port]; role != "" && !known {
				roles[port] = role
			}
		}
	}
	return roles
}

func roleOf(c iptables.Chain, r iptables.Rule, arriving map[string]bool) (iptables.Port, Role) {
	if t, ok := r.Target.(iptables.TProxy); ok {
		return t.Port, Inbound
	}
	t, ok := r.Target.(iptables.Redirect)
	switch {
	case !ok:
		return 0, ""
	case asksDNS(r):
		return t.Port, DNS
	case c.Name == iptables.ChainRedirect:
		return t.Port, Outbound
	case c.Name == iptables.ChainInRedirect, arriving[c.Name]:
		return t.Port, Inbound
	}
	return t.Port, Outbound
}

func asksDNS(r iptables.Rule) bool {
	for _, m := range r.Match {
		if d, ok := m.(iptables.DestinationPort); ok && !d.Not && d.Range == iptables.OnePort(53) {
			return true
		}
	}
	return false
}

// reachable are the chains of nat that packets at a built-in chain can come to.
func reachable(rs iptables.Ruleset, from string) map[string]bool {
	seen := map[string]bool{from: true}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		c, _ := rs.Chain(iptables.Nat, queue[0])
		for i := range c.Rules {
			if to := c.Rules[i].JumpChain(); to != "" && !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return seen
}
