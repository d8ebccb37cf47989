package install

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// Parked is the extension under which a single configuration waits, out of
// the runtime's sight, for the removal of the list that was made of it.
const Parked = ".sluice-orig"

// Want is what the folder should come to.
type Want struct {
	Entry conflist.Entry
	// Named is the file to edit; empty means the one that the runtime loads.
	Named string
	// Owned asks for a list of our own in front of the primary plugin's file.
	Owned bool
	// PluginOnly asks for the program without an entry, and takes entries out:
	// where Multus runs, pods ask for the plugin by a network attachment.
	PluginOnly bool
}

// Op is one kind of change.
type Op string

// The changes. Each is atomic.
const (
	Write  Op = "write"
	Rename Op = "rename"
	Remove Op = "remove"
)

// Action is one change of one file of the folder.
type Action struct {
	Op   Op
	Name string // within the folder
	// To is Rename's new name.
	To string
	// Data, Attr and Base are Write's: the new content, mode and owner, and what
	// the file must still hold; Base is nil for a file that is made.
	Data []byte
	Attr hostfs.Attr
	Base []byte
	// Why is the reason, for the log.
	Why string
}

// State is where an installation stands.
type State string

// The states.
const (
	Ready   State = "installed" // nothing to do
	Pending State = "pending"   // the plan has actions
	Waiting State = "waiting"   // no file yet that a runtime could load
	Refused State = "refused"   // a file is there, but may not be edited
)

// Plan is what to do, and why.
type Plan struct {
	State State
	// File is the one that the runtime loads, or will after the plan.
	File string
	// Types are the plugins that the primary's file chains, ours excluded.
	Types   []string
	Actions []Action
	// Skipped are the files in front of File that no runtime can load.
	Skipped []conflist.Skipped
	// Err says why the state is Waiting or Refused.
	Err error
}

// Errors of a plan.
var (
	ErrNoFile  = errors.New("no network configuration that a runtime could load yet")
	ErrNoNamed = errors.New("the named network configuration is not there yet, or not complete")
)

// VersionError is a configuration too old for chained plugins.
type VersionError struct{ File, Version string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has cniVersion %q; plugins are chained from 0.3.0 on", e.File, e.Version)
}

// Plan says what leads from the folder to what is wanted. It is pure: equal
// folders give equal plans, and the plan of a folder in order is empty.
func (w Want) Plan(f Folder) Plan {
	if w.PluginOnly {
		return pending(Plan{State: Ready, Actions: w.Removal(f)})
	}
	main, skipped, err := w.pick(f)
	if err != nil {
		return Plan{State: Waiting, Skipped: skipped, Err: err}
	}
	p := Plan{State: Ready, File: main.Name, Skipped: skipped}
	if err := w.planMain(f, main, &p); err != nil {
		return Plan{State: Refused, File: main.Name, Skipped: skipped, Err: err}
	}
	p.Actions = append(p.Actions, w.planOthers(f, main.Name, p.File)...)
	return pending(p)
}

// pending tells a plan with something to do from one with nothing.
func pending(p Plan) Plan {
	if len(p.Actions) > 0 {
		p.State = Pending
	}
	return p
}

// pick gives the primary plugin's file: the named one, or the one that the
// runtime would load if lists of our own were not there.
func (w Want) pick(f Folder) (Item, []conflist.Skipped, error) {
	if w.Named != "" {
		return w.named(f)
	}
	var files []conflist.File
	for _, i := range f.Items {
		switch {
		case owned(i) || !conflist.Loadable(i.Name):
		case i.Err != nil: // what can't be read may still be what the runtime loads
			return firstOf(f, files, i)
		default:
			files = append(files, f.file(i))
		}
	}
	return firstOf(f, files, Item{})
}

// firstOf gives the first valid file, else the one behind all of them that
// can't be read, else nothing.
func firstOf(f Folder, files []conflist.File, unread Item) (Item, []conflist.Skipped, error) {
	file, skipped, ok := conflist.Pick(files)
	if ok {
		main, _ := f.item(file.Name)
		return main, skipped, nil
	}
	if unread.Name != "" {
		return unread, skipped, nil
	}
	return Item{}, skipped, ErrNoFile
}

func (w Want) named(f Folder) (Item, []conflist.Skipped, error) {
	for _, name := range append([]string{w.Named}, listNames(w.Named)...) {
		i, _ := f.item(name) // what is not there passes no check
		if name != w.Named && !w.madeOf(f, i, w.Named) {
			continue
		}
		if f.file(i).Check() == nil {
			return i, nil, nil
		}
	}
	return Item{}, nil, fmt.Errorf("%w: %s", ErrNoNamed, path.Join(f.Path, w.Named))
}

// owned reports whether the file is a list that we generated.
func owned(i Item) bool {
	l, _ := conflist.Parse(i.Raw)
	return l.Source != ""
}

// planMain plans the primary plugin's file and sets p.File and p.Types.
func (w Want) planMain(f Folder, main Item, p *Plan) error {
	if main.Err != nil {
		return main.Err
	}
	l, err := asList(main)
	if err != nil {
		return err
	}
	p.Types = slices.DeleteFunc(l.Types(), func(t string) bool { return t == w.Entry.Type() })
	switch {
	case !conflist.Chained(l.Version):
		return &VersionError{main.Name, l.Version}
	case w.Owned:
		return w.planOwned(f, main, l, p)
	case !conflist.IsList(main.Name):
		return w.planSingle(f, main, l, p)
	case foreign(f, l, w.Entry.Type()):
		p.Actions = w.planDropIn(f, main, l)
	case len(p.Types) == 0:
		return conflist.ErrNoPlugins
	default:
		p.Actions = w.planList(f, main, l)
	}
	return nil
}

// planList edits the list, and takes away an entry of ours that stands in the
// drop-in folder from a time when other plugins stood there. The list is
// written once more then, since runtimes do not watch that folder.
func (w Want) planList(f Folder, main Item, l conflist.List) []Action {
	var actions []Action
	whole := main
	whole.Raw = l.With(w.Entry)
	if state := l.State(w.Entry); state != conflist.Installed {
		actions = append(actions, write(main, whole.Raw, "our entry is "+string(state)))
	}
	for _, i := range f.DropIns[l.Name] {
		if dropInType(i) == w.Entry.Type() {
			actions = append(actions, Action{Op: Remove, Name: i.Name, Why: "our entry stands in the list"},
				write(whole, whole.Raw, "its drop-in folder changed"))
		}
	}
	return actions
}

// asList reads the file as the runtime does: a single plugin is a list of one.
// What is no plugin would make one without a name, which is refused.
func asList(i Item) (conflist.List, error) {
	if conflist.IsList(i.Name) {
		return conflist.Parse(i.Raw)
	}
	s, _ := conflist.ParseSingle(i.Raw)
	return conflist.Parse(s.Wrap())
}

// write replaces an item's content.
func write(i Item, data []byte, why string) Action {
	return Action{Op: Write, Name: i.Name, Data: data, Attr: i.Attr, Base: i.Raw, Why: why}
}

// planSingle writes the list first and takes the single configuration away
// then: while both are there the runtime loads the old one, which sorts first.
func (w Want) planSingle(f Folder, main Item, l conflist.List, p *Plan) error {
	if p.File = w.freeName(f, main.Name); p.File == "" {
		return fmt.Errorf("every file name for a list made of %s is taken in %s", main.Name, f.Path)
	}
	there, _ := f.item(p.File)
	list := Action{Op: Write, Name: p.File, Data: l.With(w.Entry), Attr: main.Attr, Base: there.Raw, Why: main.Name + " holds a single plugin"}
	if !bytes.Equal(list.Base, list.Data) {
		p.Actions = append(p.Actions, list)
	}
	p.Actions = append(p.Actions, Action{Op: Rename, Name: main.Name, To: main.Name + Parked, Why: p.File + " takes its place"})
	return nil
}

// listNames are the names that a list made of a single configuration may have:
// the same stem; else a name that sorts right behind the configuration's own
// place, in front of whoever has the stem.
func listNames(single string) []string {
	return []string{strings.TrimSuffix(single, path.Ext(single)) + ".conflist", single + ".conflist"}
}

// freeName is the first of listNames that nobody has, or that is ours already;
// else the second one if our entry stands there, as when the configuration was
// written anew before it could be parked; else none.
func (w Want) freeName(f Folder, single string) string {
	for _, name := range listNames(single) {
		if i, ok := f.item(name); !ok || w.madeOf(f, i, single) {
			return name
		}
	}
	second := listNames(single)[1]
	i, _ := f.item(second)
	if l, _ := conflist.Parse(i.Raw); l.State(w.Entry) != conflist.Absent {
		return second
	}
	return ""
}

// madeOf reports whether the list is what we made of the single configuration,
// as it is now or as we parked it, and has not been edited since. Nothing is
// made of what is not there or broken.
func (w Want) madeOf(f Folder, list Item, single string) bool {
	l, _ := conflist.Parse(list.Raw)
	bare := l.Without(w.Entry.Type())
	return slices.ContainsFunc([]string{single, single + Parked}, func(name string) bool {
		i, _ := f.item(name)
		s, _ := conflist.ParseSingle(i.Raw)
		return bytes.Equal(s.Wrap(), bare)
	})
}

// planOthers keeps our entry right in files that the runtime does not load
// now but may load next, and removes the lists of our own that are not wanted.
func (w Want) planOthers(f Folder, main, loaded string) []Action {
	var actions []Action
	for _, i := range f.Items {
		l, _ := conflist.Parse(i.Raw) // what is no list has no source and no entry
		switch {
		case i.Name == main || i.Name == loaded || !conflist.IsList(i.Name):
		case l.Source != "":
			actions = append(actions, Action{Op: Remove, Name: i.Name, Why: "generated from " + l.Source + ", no longer wanted"})
		case w.Owned && l.State(w.Entry) != conflist.Absent:
			actions = append(actions, write(i, l.Without(w.Entry.Type()), "the list of our own has our entry"))
		case l.State(w.Entry) != conflist.Absent && l.State(w.Entry) != conflist.Installed:
			actions = append(actions, write(i, l.With(w.Entry), "our entry is "+string(l.State(w.Entry))))
		}
	}
	return actions
}
