package install

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// Item is one file of the configuration folder.
type Item struct {
	Name string // within the folder; a drop-in's has its folder in front
	Raw  []byte
	Attr hostfs.Attr
	// Real is the host's path behind all links.
	Real string
	// Err says why the file can't be read or may not be edited; Raw is empty then.
	Err error
}

// Folder is what the configuration folder held at one moment.
type Folder struct {
	Path  string // the host's
	Items []Item // in lexical order; only what runtimes load, and what we parked
	// DropIns are the .conf files in the folder's subfolders, by subfolder.
	DropIns map[string][]Item
}

// ReadFolder reads the host's folder dir. That a single file can't be read is
// noted at the file.
func ReadFolder(host hostfs.FS, dir string) (Folder, error) {
	entries, err := os.ReadDir(host.Here(dir))
	if err != nil {
		return Folder{}, err
	}
	f := Folder{Path: dir, DropIns: map[string][]Item{}}
	for _, e := range entries {
		switch {
		case e.IsDir():
			if f.DropIns[e.Name()], err = readDropIns(host, dir, e.Name()); err != nil {
				return Folder{}, err
			}
		case conflist.Loadable(e.Name()) || strings.HasSuffix(e.Name(), Parked):
			f.Items = append(f.Items, readItem(host, dir, e.Name()))
		}
	}
	f.Items = slices.DeleteFunc(f.Items, func(i Item) bool { return errors.Is(i.Err, fs.ErrNotExist) })
	return f, nil
}

func readDropIns(host hostfs.FS, dir, sub string) ([]Item, error) {
	entries, err := os.ReadDir(host.Here(path.Join(dir, sub)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var items []Item
	for _, e := range entries {
		if !e.IsDir() && path.Ext(e.Name()) == ".conf" {
			items = append(items, readItem(host, dir, path.Join(sub, e.Name())))
		}
	}
	return items, nil
}

// readItem reads one file through the host's links.
func readItem(host hostfs.FS, dir, name string) Item {
	i := Item{Name: name}
	if i.Real, i.Err = host.Resolve(path.Join(dir, name)); i.Err != nil {
		return i
	}
	info, err := os.Stat(host.Here(i.Real))
	switch {
	case err != nil:
		i.Err = err
		return i
	case !info.Mode().IsRegular(): // no runtime loads it: as empty as it looks
		return i
	case info.Size() > conflist.MaxSize:
		i.Err = conflist.ErrSize
		return i
	}
	i.Attr = hostfs.AttrOf(info)
	if i.Raw, i.Err = os.ReadFile(host.Here(i.Real)); i.Err != nil {
		i.Raw = nil
	}
	return i
}

// item finds a file by name.
func (f Folder) item(name string) (Item, bool) {
	at := slices.IndexFunc(f.Items, func(i Item) bool { return i.Name == name })
	if at < 0 {
		return Item{}, false
	}
	return f.Items[at], true
}

// file is what the runtime sees of an item.
func (f Folder) file(i Item) conflist.File {
	file := conflist.File{Name: i.Name, Raw: i.Raw}
	if l, err := conflist.Parse(i.Raw); err == nil && !l.Inlined {
		for _, d := range f.DropIns[l.Name] {
			file.DropIns = append(file.DropIns, d.Name)
		}
	}
	return file
}
