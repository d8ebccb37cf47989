package interception

import "github.com/sluicemesh/sluice/iptables"

// Live is what stands in one backend of a namespace.
type Live struct {
	Backend string
	Rules   []iptables.Ruleset // of each family, counters included
}
