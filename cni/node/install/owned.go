package install

import (
	"bytes"
	"fmt"

	"github.com/sluicemesh/sluice/cni/node/conflist"
)

// ownedNames are the names of a list of our own, each sorting in front of more
// than the one before it.
var ownedNames = [...]string{"00-sluice-cni.conflist", "00--sluice-cni.conflist", "!-sluice-cni.conflist"}

// planOwned embeds the primary plugin's chain, with our entry behind it, in a
// list that sorts first. The primary's own file stays as it is, so it may be
// written anew whenever its owner likes.
func (w Want) planOwned(f Folder, main Item, l conflist.List, p *Plan) error {
	bare, err := conflist.Parse(l.Without(w.Entry.Type()))
	if err != nil {
		return err
	}
	if p.File = ownedName(f); p.File == "" {
		return fmt.Errorf("every file name that sorts first is taken in %s", f.Path)
	}
	whole := bare
	if foreign(f, l, w.Entry.Type()) { // the same network has the same drop-in folder
		p.Actions = w.planDropInFiles(l.Name, f.DropIns[l.Name])
	} else if whole, err = conflist.Parse(bare.With(w.Entry)); err != nil {
		return err
	}
	there, _ := f.item(p.File)
	want := Action{Op: Write, Name: p.File, Data: whole.Owned(main.Name), Attr: main.Attr, Base: there.Raw, Why: "generated from " + main.Name}
	if !bytes.Equal(want.Base, want.Data) {
		p.Actions = append(p.Actions, want)
	}
	if l.State(w.Entry) != conflist.Absent {
		p.Actions = append(p.Actions, write(main, bare.Bytes(), "the list of our own has our entry"))
	}
	return nil
}

// ownedName is the first name in front of every other file.
func ownedName(f Folder) string {
	for _, name := range ownedNames {
		if sortsFirst(f, name) {
			return name
		}
	}
	return ""
}

func sortsFirst(f Folder, name string) bool {
	for _, i := range f.Items {
		if i.Name <= name && conflist.Loadable(i.Name) && !owned(i) {
			return false
		}
	}
	return true
}
