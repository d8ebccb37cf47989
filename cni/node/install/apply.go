package install

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// ApplyError is an action that failed. What came before it is done and valid.
type ApplyError struct {
	Action Action
	Path   string // of the file on the host
	Err    error
}

func (e *ApplyError) Error() string {
	return fmt.Sprintf("%s %s: %v%s", e.Action.Op, e.Path, e.Err, hint(e.Err, "--conf-dir"))
}

// Unwrap gives the system's error.
func (e *ApplyError) Unwrap() error { return e.Err }

// Apply carries the actions out in order, each atomic, and stops at the first
// that fails. hostfs.ErrChanged means that someone else was faster.
func Apply(host hostfs.FS, dir string, actions []Action) error {
	for _, a := range actions {
		if err := apply(host, dir, a); err != nil {
			return &ApplyError{Action: a, Path: path.Join(dir, a.Name), Err: err}
		}
	}
	return nil
}

func apply(host hostfs.FS, dir string, a Action) error {
	name := path.Join(dir, a.Name)
	switch a.Op {
	case Rename:
		return host.Rename(name, path.Join(dir, a.To))
	case Remove:
		return host.Remove(name)
	}
	real, err := host.Resolve(name)
	if err != nil {
		return err
	}
	if a.Base == nil {
		if _, err := os.Lstat(host.Here(real)); err == nil {
			return hostfs.ErrChanged // it was not there when the plan was made
		}
	}
	if err := host.Replace(real, bytes.NewReader(a.Data), a.Attr, a.Base); err != nil {
		return err
	}
	if path.Dir(real) != path.Dir(name) && isLink(host, name) {
		return host.Relink(name)
	}
	return nil
}

func isLink(host hostfs.FS, name string) bool {
	info, err := os.Lstat(host.Here(name))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
