package interception

import (
	"slices"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// Want is what a namespace shall hold.
type Want struct {
	// Rules has a rule set for each family; one without chains for a family
	// that is not programmed, so that nothing of ours is left there.
	Rules    []iptables.Ruleset
	Plumbing netns.Plumbing
}

// WantOf is what a configuration means for the given families. It is pure, and
// a dry run prints just this.
func WantOf(c builder.Config, families ...iptables.Family) Want {
	var w Want
	for _, f := range iptables.Families() {
		rules := iptables.Ruleset{Family: f}
		if slices.Contains(families, f) {
			rules = builder.Build(c, f)
		}
		w.Rules = append(w.Rules, rules)
	}
	if c.Mode == builder.NoneMode {
		return w
	}
	if c.TProxied() {
		w.Plumbing = netns.TProxy(uint32(c.TProxyMark), uint32(c.TProxyTable), families...)
	}
	if slices.Contains(families, iptables.V6) {
		w.Plumbing.Addrs = append(w.Plumbing.Addrs, netns.SixAddr())
	}
	return w
}
