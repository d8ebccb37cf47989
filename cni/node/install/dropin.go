package install

import (
	"path"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// A runtime with libcni 1.3 or newer appends the plugins of <dir>/<network>/*.conf
// behind those of the list. Where someone has put plugins there, "last" means
// last among those, and our entry is a file of that folder.

// foreign reports whether someone else's plugins follow the list's.
func foreign(f Folder, l conflist.List, kind string) bool {
	return !l.Inlined && slices.ContainsFunc(f.DropIns[l.Name], func(i Item) bool { return dropInType(i) != kind })
}

// dropInType gives the type of a drop-in, empty if it is none.
func dropInType(i Item) string {
	e, _ := conflist.NewEntry(i.Raw)
	return e.Type()
}

// planDropIn puts our entry last in the folder, takes any other out, and writes
// the list even when it does not change: runtimes watch the folder of the list
// and not the folders in it.
func (w Want) planDropIn(f Folder, main Item, l conflist.List) []Action {
	actions := w.planDropInFiles(l.Name, f.DropIns[l.Name])
	if len(actions) > 0 || l.State(w.Entry) != conflist.Absent {
		actions = append(actions, write(main, l.Without(w.Entry.Type()), "our entry stands in the drop-in folder"))
	}
	return actions
}

// planDropInFiles makes ours the last drop-in and the only one of ours.
func (w Want) planDropInFiles(network string, items []Item) []Action {
	var actions []Action
	keep := dropInName(network, items, w.Entry.Type())
	if last := items[len(items)-1]; last.Name != keep || !sameEntry(last, w.Entry) {
		actions = append(actions, w.dropIn(network, items))
	}
	for _, i := range items {
		if dropInType(i) == w.Entry.Type() && i.Name != keep {
			actions = append(actions, Action{Op: Remove, Name: i.Name, Why: "our entry stands further behind"})
		}
	}
	return actions
}

// sameEntry compares a drop-in with our entry as values.
func sameEntry(i Item, e conflist.Entry) bool {
	there, _ := conflist.NewEntry(i.Raw)
	return there.Equal(e)
}

func (w Want) dropIn(network string, items []Item) Action {
	a := Action{
		Op: Write, Name: dropInName(network, items, w.Entry.Type()), Data: append(slices.Clone(w.Entry.Bytes()), '\n'),
		Attr: hostfs.Attr{Mode: 0o644}, Why: "plugins of the drop-in folder follow the list's",
	}
	for _, i := range items {
		if i.Name == a.Name {
			a.Base = i.Raw
		}
	}
	return a
}

// dropInName sorts behind every drop-in that is not ours.
func dropInName(network string, items []Item, kind string) string {
	name := path.Join(network, "zz-"+kind+".conf")
	for _, i := range items {
		if dropInType(i) != kind && i.Name >= name {
			name = strings.TrimSuffix(i.Name, ".conf") + "~" + kind + ".conf"
		}
	}
	return name
}
