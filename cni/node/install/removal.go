package install

import (
	"strings"

	"github.com/sluicemesh/sluice/cni/node/conflist"
)

// Removal says what takes everything of ours out of the folder. Each action
// leaves a file behind that the runtime can load.
func (w Want) Removal(f Folder) []Action {
	var actions []Action
	for _, i := range f.Items {
		if name, ok := strings.CutSuffix(i.Name, Parked); ok {
			actions = append(actions, w.unpark(f, i, name)...)
		}
	}
	for _, i := range f.Items {
		if conflist.IsList(i.Name) {
			actions = append(actions, w.unchain(f, i)...)
		}
	}
	return actions
}

// unpark puts a single configuration back. It sorts in front of the list that
// was made of it, so from then on the runtime loads it again. If its owner has
// written it anew meanwhile, the parked one is of no use any more.
func (w Want) unpark(f Folder, parked Item, name string) []Action {
	if _, ok := f.item(name); ok {
		return []Action{{Op: Remove, Name: parked.Name, Why: name + " was written anew"}}
	}
	return []Action{{Op: Rename, Name: parked.Name, To: name, Why: "its list goes"}}
}

// unchain takes our entry out of one list, or the list away if we made it.
func (w Want) unchain(f Folder, i Item) []Action {
	l, _ := conflist.Parse(i.Raw) // what is no list has no source, no network and no entry
	switch {
	case l.Source != "":
		return []Action{{Op: Remove, Name: i.Name, Why: "generated from " + l.Source}}
	case w.madeOfAny(f, i):
		return []Action{{Op: Remove, Name: i.Name, Why: "made of a single configuration that is back"}}
	}
	var actions []Action
	for _, d := range f.DropIns[l.Name] {
		if dropInType(d) == w.Entry.Type() {
			actions = append(actions, Action{Op: Remove, Name: d.Name, Why: "uninstall"})
		}
	}
	if len(actions) > 0 || l.State(w.Entry) != conflist.Absent {
		actions = append(actions, write(i, l.Without(w.Entry.Type()), "uninstall"))
	}
	return actions
}

// madeOfAny reports whether the list was made of a single configuration that
// is still there, parked or not.
func (w Want) madeOfAny(f Folder, list Item) bool {
	for _, i := range f.Items {
		single := strings.TrimSuffix(i.Name, Parked)
		for _, name := range listNames(single) {
			if name == list.Name && w.madeOf(f, list, single) {
				return true
			}
		}
	}
	return false
}
