package hostfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// FS is the host's file system as this process sees it. Paths given to its
// methods are the host's: absolute, and real (without links) where said.
type FS struct {
	// Root is where the host's / is seen; empty or "/" on the host itself.
	Root string
	// Mounts are the host's folders that are seen under Root; none means all.
	Mounts []string
	// Step, if set, is called before every system call that changes something,
	// with its name. Tests stop the world there.
	Step func(name string)
}

// maxLinks is how many links the kernel follows in one path.
const maxLinks = 40

// OutsideError is a path whose links lead out of the mounted folders.
type OutsideError struct {
	Path   string // as asked for
	Target string // where it leads, on the host
	Mounts []string
}

func (e *OutsideError) Error() string {
	return fmt.Sprintf("%s leads to %s, which is not in a mounted folder (%s): mount that folder of the host into the agent too",
		e.Path, e.Target, strings.Join(e.Mounts, ", "))
}

// Here gives the path by which this process reaches the host's path p.
func (f FS) Here(p string) string { return filepath.Join("/", f.Root, p) }

// Resolve follows every link of the host's path p and gives the real path on
// the host. The last element need not exist. Errors are *OutsideError or the
// system's.
func (f FS) Resolve(p string) (string, error) {
	real, rest := "/", elements(p)
	for links := 0; len(rest) > 0; {
		next := path.Join(real, rest[0])
		rest = rest[1:]
		if !f.passable(next) {
			return "", f.outside(p, path.Join(append([]string{next}, rest...)...))
		}
		target, err := os.Readlink(f.Here(next))
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(rest) > 0:
			return "", err
		case err != nil: // no link, or the last element, still to be made
			real = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "resolve", Path: p, Err: syscall.ELOOP}
		}
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(elements(target), rest...)
	}
	if !f.Mounted(real) {
		return "", f.outside(p, real)
	}
	return real, nil
}

// elements keeps "..": behind a link it means the parent of its target.
func elements(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}

func (f FS) outside(p, target string) error {
	return &OutsideError{Path: p, Target: target, Mounts: f.Mounts}
}

// Mounted reports whether the real path p is in a folder that is mounted.
func (f FS) Mounted(p string) bool {
	if len(f.Mounts) == 0 {
		return true
	}
	for _, m := range f.Mounts {
		if within(p, m) {
			return true
		}
	}
	return false
}

// passable reports whether p is mounted or on the way to what is.
func (f FS) passable(p string) bool {
	for _, m := range f.Mounts {
		if within(m, p) {
			return true
		}
	}
	return f.Mounted(p)
}

// within reports whether p is dir or below it.
func within(p, dir string) bool {
	dir = path.Clean(dir)
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}
