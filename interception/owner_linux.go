package interception

import (
	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/netns"
)

// ownerEntry is the way into the user namespace that owns the calling thread's
// network namespace; empty where that is the caller's own, as nearly always,
// and for nf_tables, which programs it from outside.
// Where the kernel does not say, nothing is entered: it refuses owner matches
// itself if that was wrong. The caller closes it.
func ownerEntry(b builder.Backend) netns.UserEntry {
	if b == builder.BackendNftables {
		return netns.UserEntry{}
	}
	ns, err := netns.Open(netns.Target{})
	if err != nil {
		return netns.UserEntry{}
	}
	defer ns.Close()
	entry, err := ns.UserEntry()
	if err != nil {
		return netns.UserEntry{}
	}
	return entry
}
