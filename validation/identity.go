package validation

import (
	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// most bounds how many ids, ports and prefixes of one setting are probed. The
// rest of a longer list is made by the same code of the builder.
const most = 16

// identities lists who probes: an application, every kind of proxy owner, and
// whoever a setting makes an exception for. A process that cannot change its
// ids has just its own.
func identities(c builder.Config, f Facts) []Identity {
	if !f.SetIDs {
		name := "application"
		if c.IsProxy(&iptables.Owner{UID: f.UID, GID: f.GID}) {
			name = "proxy"
		}
		return []Identity{{name, f.UID, f.GID}}
	}
	app := application(c)
	list := append([]Identity{app}, proxies(c, app)...)
	for _, x := range c.ExcludePortsForUIDs {
		for _, id := range bounds(x.UIDs) {
			list = append(list, Identity{"excluded uid", id, app.GID})
		}
	}
	for _, id := range bounds(c.ExcludeOwnerGroups) {
		list = append(list, Identity{"excluded group", app.UID, id})
	}
	if c.OwnerGroups.Listed {
		list = append(list, Identity{"group not listed", app.UID, outside(c.OwnerGroups.Include, c.ProxyGIDs)})
		for _, id := range bounds(c.OwnerGroups.Include) {
			list = append(list, Identity{"listed group", app.UID, id})
		}
	}
	return unique(list)
}

// proxies are the owners that are proxy by uid alone, and by gid alone. The
// first is both kinds at once, as a sidecar is.
func proxies(c builder.Config, app Identity) []Identity {
	var list []Identity
	uids, gids := bounds(c.ProxyUIDs), bounds(c.ProxyGIDs)
	if len(uids) > 0 && len(gids) > 0 {
		list = append(list, Identity{"proxy", uids[0], gids[0]})
	}
	for _, id := range uids {
		list = append(list, Identity{"proxy by uid", id, app.GID})
	}
	for _, id := range gids {
		list = append(list, Identity{"proxy by gid", app.UID, id})
	}
	return list
}

// application is somebody for whom no exception is made, as far as there is.
func application(c builder.Config) Identity {
	var excepted builder.IDs
	for _, x := range c.ExcludePortsForUIDs {
		excepted = append(excepted, x.UIDs...)
	}
	app := Identity{Name: "application", UID: outside(c.ProxyUIDs, excepted)}
	app.GID = outside(c.ProxyGIDs, c.ExcludeOwnerGroups)
	if c.OwnerGroups.Listed {
		for _, id := range bounds(c.OwnerGroups.Include) {
			if !c.ProxyGIDs.Contains(id) && !c.ExcludeOwnerGroups.Contains(id) {
				app.GID = id
				break
			}
		}
	}
	return app
}

// outside finds an id that no set holds: a usual one, or one beside a set.
func outside(sets ...builder.IDs) uint32 {
	candidates := []uint32{1000, 65534, 2000, 0}
	for _, s := range sets {
		for _, r := range s {
			candidates = append(candidates, r.Last+1, r.First-1)
		}
	}
	for _, id := range candidates {
		if !contained(sets, id) {
			return id
		}
	}
	return candidates[0]
}

func contained(sets []builder.IDs, id uint32) bool {
	for _, s := range sets {
		if s.Contains(id) {
			return true
		}
	}
	return false
}

// bounds are the first and last ids of the ranges. Ids of -1 can't be set.
func bounds(ids builder.IDs) []uint32 {
	var list []uint32
	for _, r := range ids[:min(len(ids), most)] {
		list = append(list, r.First)
		if r.Last != r.First && r.Last != iptables.FullMask {
			list = append(list, r.Last)
		}
	}
	return list
}

// unique keeps the first of those who are the same.
func unique(list []Identity) []Identity {
	var kept []Identity
	seen := map[iptables.Owner]bool{}
	for _, i := range list {
		if !seen[*i.owner()] {
			seen[*i.owner()] = true
			kept = append(kept, i)
		}
	}
	return kept
}
