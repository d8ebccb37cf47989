package debian

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os/exec"
	"path"
	"strings"

	"github.com/sluicemesh/sluice/deploy/ship/archive"
)

// Unpack gives the files of a package.
func Unpack(deb string) (archive.Tree, error) {
	out, err := exec.Command("dpkg-deb", "--fsys-tarfile", deb).Output()
	if err != nil {
		return nil, fmt.Errorf("dpkg-deb --fsys-tarfile %s: %w", deb, err)
	}
	return archive.Read(bytes.NewReader(out), func(string) bool { return true })
}

// Pick takes from all what wanted names, and all libraries that it is linked
// to, through as many steps as there are. A library that is nowhere in all is
// an error: the program would not start.
func Pick(all archive.Tree, wanted func(name string) bool) (archive.Tree, error) {
	out := archive.Tree{}
	var queue []string
	for name := range all {
		if wanted(name) {
			queue = append(queue, name)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if _, done := out[name]; done {
			continue
		}
		out[name] = all[name]
		more, err := needs(all, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		queue = append(queue, more...)
	}
	return out, nil
}

// needs lists what one file is of no use without: a link's target, a program's
// loader and libraries.
func needs(all archive.Tree, name string) ([]string, error) {
	e := all[name]
	if e.Link != "" {
		target := path.Join(path.Dir(name), e.Link)
		if path.IsAbs(e.Link) {
			target = strings.TrimPrefix(e.Link, "/")
		}
		if _, ok := all[target]; !ok {
			return nil, fmt.Errorf("links to %s, which no package has", e.Link)
		}
		return []string{target}, nil
	}
	if !bytes.HasPrefix(e.Body, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	f, err := elf.NewFile(bytes.NewReader(e.Body))
	if err != nil {
		return nil, err
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	if loader := interpreter(f); loader != "" {
		names = append(names, path.Base(loader))
	}
	return find(all, names)
}

// interpreter is the loader that a program asks the kernel for.
func interpreter(f *elf.File) string {
	s := f.Section(".interp")
	if s == nil {
		return ""
	}
	text, err := s.Data()
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(text), "\x00")
}

// find gives every file of these base names that stands in a library folder.
func find(all archive.Tree, bases []string) ([]string, error) {
	var out []string
	for _, base := range bases {
		found := false
		for name := range all {
			if path.Base(name) == base && strings.Contains(name, "lib") {
				out, found = append(out, name), true
			}
		}
		if !found {
			return nil, fmt.Errorf("needs %s, which no package has", base)
		}
	}
	return out, nil
}
