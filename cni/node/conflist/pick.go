package conflist

import (
	"path"
	"slices"
	"strings"
)

// File is one entry of the configuration folder.
type File struct {
	Name string // within the folder
	Raw  []byte
	// DropIns are the names of the .conf files in the folder called like the
	// list's network, in lexical order; see DropInFolder.
	DropIns []string
}

// Skipped is a file that no runtime can load, and why.
type Skipped struct {
	Name string
	Err  error
}

// Loadable reports whether runtimes look at a file of this name at all.
func Loadable(name string) bool {
	return slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(name))
}

// IsList reports whether runtimes read a file of this name as a list; the
// other loadable ones hold a single plugin.
func IsList(name string) bool { return path.Ext(name) == ".conflist" }

// Pick gives the file that a runtime loads: the first valid one in lexical
// order. The files before it that are not valid are told too; containerd,
// unlike others, loads nothing while one of those is there.
func Pick(files []File) (File, []Skipped, bool) {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	var skipped []Skipped
	for _, f := range files {
		if !Loadable(f.Name) {
			continue
		}
		err := f.Check()
		if err == nil {
			return f, skipped, true
		}
		skipped = append(skipped, Skipped{f.Name, err})
	}
	return File{}, skipped, false
}

// Check says whether a runtime can load the file, and if not, why.
func (f File) Check() error {
	if !IsList(f.Name) {
		_, err := ParseSingle(f.Raw)
		return err
	}
	l, err := Parse(f.Raw)
	if err == nil && len(l.plugins) == 0 && len(f.DropIns) == 0 {
		return ErrNoPlugins
	}
	return err
}
