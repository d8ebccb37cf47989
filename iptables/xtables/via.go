package xtables

import (
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Via returns the backend with its writing programs started by another one,
// such as nsenter: the kernel lets owner matches in only from the user
// namespace that owns the network namespace. Reading needs no such help.
func (b Backend) Via(prefix []string) Backend {
	tools := make(map[iptables.Family]pair, len(b.tools))
	for f, p := range b.tools {
		p.restore.Argv = slices.Concat(prefix, p.restore.Argv)
		tools[f] = p
	}
	b.tools = tools
	return b
}
