package nftables

import (
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// chainName is the name of a netfilter table's chain within our one table.
func chainName(t iptables.Table, chain string) string { return string(t) + "-" + chain }

// splitName is the inverse of chainName. A name of another form has no table.
func splitName(name string) (iptables.Table, string) {
	table, chain, ok := strings.Cut(name, "-")
	if !ok {
		return "", name
	}
	return iptables.Table(table), chain
}

// restName names the n-th part of a chain that had to be divided, from 2.
// No chain of iptables that sluice makes has a dot in its name.
func restName(chain string, n int) string { return chain + "." + strconv.Itoa(n) }

// isRest says whether name is a part of a divided chain.
func isRest(name string) bool { return strings.Contains(name, ".") }

// hookOf says where a built-in chain of iptables hangs, with the priorities of
// include/uapi/linux/netfilter_ipv4.h. Zero for any other chain.
func hookOf(t iptables.Table, chain string) Hook {
	for _, h := range hooks() {
		if h.table == t && h.chain == chain {
			return h.hook
		}
	}
	return Hook{}
}

type builtin struct {
	table iptables.Table
	chain string
	hook  Hook
}

// hooks lists the built-in chains. mangle OUTPUT is of type route: a changed
// mark has the packet routed again.
func hooks() [14]builtin {
	return [...]builtin{
		{iptables.Raw, iptables.Prerouting, Hook{"filter", "prerouting", 0, -300, false}},
		{iptables.Raw, iptables.Output, Hook{"filter", "output", 3, -300, false}},
		{iptables.Mangle, iptables.Prerouting, Hook{"filter", "prerouting", 0, -150, false}},
		{iptables.Mangle, iptables.Input, Hook{"filter", "input", 1, -150, false}},
		{iptables.Mangle, iptables.Forward, Hook{"filter", "forward", 2, -150, false}},
		{iptables.Mangle, iptables.Output, Hook{"route", "output", 3, -150, false}},
		{iptables.Mangle, iptables.Postrouting, Hook{"filter", "postrouting", 4, -150, false}},
		{iptables.Nat, iptables.Prerouting, Hook{"nat", "prerouting", 0, -100, false}},
		{iptables.Nat, iptables.Input, Hook{"nat", "input", 1, 100, false}},
		{iptables.Nat, iptables.Output, Hook{"nat", "output", 3, -100, false}},
		{iptables.Nat, iptables.Postrouting, Hook{"nat", "postrouting", 4, 100, false}},
		{iptables.Filter, iptables.Input, Hook{"filter", "input", 1, 0, false}},
		{iptables.Filter, iptables.Forward, Hook{"filter", "forward", 2, 0, false}},
		{iptables.Filter, iptables.Output, Hook{"filter", "output", 3, 0, false}},
	}
}
