package nftables

import (
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// divide makes of one list of rules the chains that express it without an
// inverted owner condition. Where a rule has one,
//
//	other conditions ! --uid-owner 1337 -j TARGET
//	…
//
// becomes, with everything behind it in a chain of its own,
//
//	other conditions meta skuid 1337 goto REST
//	other conditions TARGET
//	goto REST
//
// so that a packet without a socket, which has no uid to compare, gets to the
// target. A goto leaves no trace: the end of REST is the end of the chain.
func divide(name string, rules []Rule) []Chain {
	chains := []Chain{{Name: name}}
	for _, r := range rules {
		c := &chains[len(chains)-1]
		others, owners := splitOwners(r.Match)
		if len(owners) == 0 {
			c.Rules = append(c.Rules, r)
			continue
		}
		rest := iptables.JumpTo{Chain: restName(name, len(chains)+1), Goto: true}
		for _, o := range owners {
			c.Rules = append(c.Rules, Rule{Only: r.Only, Rule: iptables.Rule{Match: withMatch(others, o), Target: rest}})
		}
		r.Match = others
		c.Rules = append(c.Rules, r, Rule{Rule: iptables.Rule{Target: rest}})
		chains = append(chains, Chain{Name: rest.Chain})
	}
	return chains
}

// splitOwners takes the inverted owner conditions out, as positive ones.
func splitOwners(matches []iptables.Match) (others, owners []iptables.Match) {
	for _, m := range matches {
		switch o := m.(type) {
		case iptables.UIDOwner:
			if o.Not {
				owners = append(owners, iptables.Not(o))
				continue
			}
		case iptables.GIDOwner:
			if o.Not {
				owners = append(owners, iptables.Not(o))
				continue
			}
		}
		others = append(others, m)
	}
	return others, owners
}

func withMatch(matches []iptables.Match, m iptables.Match) []iptables.Match {
	all := append(slices.Clone(matches), m)
	sortMatches(all)
	return all
}

// withDrops puts behind every TPROXY rule the one that drops a packet for which
// there was no listener (net/netfilter/nft_tproxy.c ends the rule,
// net/netfilter/xt_TPROXY.c drops).
func withDrops(rules []Rule) []Rule {
	var out []Rule
	for _, r := range rules {
		out = append(out, r)
		if _, ok := r.Target.(iptables.TProxy); ok {
			out = append(out, dropBehind(r))
		}
	}
	return out
}

func dropBehind(r Rule) Rule {
	r.Target, r.Comment, r.Why = iptables.Drop(), "", ""
	return r
}
