package netns

// Verb is what a change does.
type Verb uint8

// The two verbs.
const (
	Add Verb = iota + 1
	Remove
)

// Change is one step from what is to what is wanted.
type Change struct {
	Verb Verb
	Item Item
}

// String is the command line that would make the change.
func (c Change) String() string {
	if c.Verb == Remove {
		return c.Item.Command("del")
	}
	return c.Item.Command("add")
}

// Drift says what is wrong now: "missing: ip -6 rule fwmark 0x539 lookup 133
// protocol 201".
func (c Change) Drift() string {
	if c.Verb == Remove {
		return "unexpected: " + c.Item.Command("")
	}
	return "missing: " + c.Item.Command("")
}

// Reconcile says what turns have into want, in an order in which no marked
// packet meets a rule without its route: first what is added, addresses, routes
// and rules; then what goes, the other way round. Of several alike it keeps one,
// ours first. It removes nothing that is not ours, and adds nothing that
// somebody else already provides. An empty answer means the two agree.
func Reconcile(have, want Plumbing) []Change {
	missing, surplus := compare(have, want)
	var changes []Change
	for _, item := range missing {
		changes = append(changes, Change{Add, item})
	}
	for i := len(surplus) - 1; i >= 0; i-- {
		changes = append(changes, Change{Remove, surplus[i]})
	}
	return changes
}

// compare walks both in the order of items. A wanted item that is not ours is
// one that was found before; if it is gone, its owner took it.
func compare(have, want Plumbing) (missing, surplus []Item) {
	wanted, found := want.items(), have.items()
	need := map[Item]bool{}
	for _, item := range wanted {
		need[item.key()] = true
	}
	kept := map[Item]bool{}
	for _, ours := range []bool{true, false} {
		for _, item := range found {
			if item.Ours() != ours {
				continue
			}
			if k := item.key(); need[k] && !kept[k] {
				kept[k] = true
			} else if ours {
				surplus = append(surplus, item)
			}
		}
	}
	for _, item := range wanted {
		if k := item.key(); item.Ours() && !kept[k] {
			kept[k] = true
			missing = append(missing, item)
		}
	}
	return missing, surplus
}

// items lists addresses, routes and rules, in this order.
func (p Plumbing) items() []Item {
	items := make([]Item, 0, len(p.Addrs)+len(p.Routes)+len(p.Rules))
	for _, a := range p.Addrs {
		items = append(items, a)
	}
	for _, r := range p.Routes {
		items = append(items, r)
	}
	for _, r := range p.Rules {
		items = append(items, r)
	}
	return items
}

// Commands lists the command lines that make the plumbing, in the order in
// which they work.
func (p Plumbing) Commands() []string {
	var lines []string
	for _, item := range p.items() {
		lines = append(lines, item.Command("add"))
	}
	return lines
}
