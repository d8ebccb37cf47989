package hostfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Attr is what a replaced file keeps.
type Attr struct {
	Mode     fs.FileMode // permission bits
	UID, GID int
}

// Stray begins the name of every file under way, so that one left by a kill is
// known and swept. It is hidden, and has no extension that a runtime loads.
const Stray = ".sluice-under-way-"

// ErrChanged means that the file is no longer what it was when it was read;
// nothing was written. Read again, decide again.
var ErrChanged = errors.New("changed meanwhile by someone else")

// Replace puts what r gives in place of the real path p, or makes it: written
// beside it, synced, renamed over it, the folder synced. At any moment p is the
// old file or the new one, whole. base, if not nil, is what p must still hold.
func (f FS) Replace(p string, r io.Reader, attr Attr, base []byte) error {
	if !f.Mounted(p) {
		return f.outside(p, p)
	}
	temp, err := f.prepare(p, r, attr)
	if err != nil {
		return fmt.Errorf("write beside %s: %w", p, err)
	}
	if err := f.commit(temp, f.Here(p), base); err != nil {
		return errors.Join(fmt.Errorf("replace %s: %w", p, err), os.Remove(temp))
	}
	return f.sync(path.Dir(p))
}

// prepare makes the complete new file beside p and gives its path here.
func (f FS) prepare(p string, r io.Reader, attr Attr) (string, error) {
	f.step("create " + path.Base(p))
	temp, err := os.CreateTemp(filepath.Dir(f.Here(p)), Stray)
	if err != nil {
		return "", err
	}
	err = f.fill(temp, r, attr)
	if err = errors.Join(err, temp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(temp.Name()))
	}
	return temp.Name(), nil
}

func (f FS) fill(temp *os.File, r io.Reader, attr Attr) error {
	f.step("write")
	if _, err := io.Copy(temp, r); err != nil {
		return err
	}
	f.step("mode") // while the file is ours: the mode of another's takes CAP_FOWNER
	if err := temp.Chmod(attr.Mode); err != nil {
		return err
	}
	f.step("own") // clears set-id bits, of which attr has none
	if err := temp.Chown(attr.UID, attr.GID); err != nil {
		return err
	}
	f.step("sync")
	return temp.Sync()
}

// commit renames, unless someone has written since base was read. What he
// writes between that look and the rename is lost until he writes again; it
// is a few microseconds, and the next look at the folder sees it.
func (f FS) commit(temp, here string, base []byte) error {
	if base != nil {
		now, err := os.ReadFile(here)
		if err != nil || !bytes.Equal(now, base) {
			return errors.Join(ErrChanged, err)
		}
	}
	f.step("rename")
	return os.Rename(temp, here)
}

// Rename moves a file within one folder.
func (f FS) Rename(from, to string) error {
	f.step("rename " + path.Base(from))
	if err := os.Rename(f.Here(from), f.Here(to)); err != nil {
		return err
	}
	return f.sync(path.Dir(to))
}

// Remove removes a file; that it is gone already is no error.
func (f FS) Remove(p string) error {
	f.step("remove " + path.Base(p))
	if err := os.Remove(f.Here(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.sync(path.Dir(p))
}

// Relink makes the link p anew, as it is: a runtime that watches p's folder
// does not see that the file behind the link has changed.
func (f FS) Relink(p string) error {
	here := f.Here(p)
	target, err := os.Readlink(here)
	if err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(here), fmt.Sprintf("%s%d", Stray, os.Getpid()))
	f.step("link " + path.Base(p))
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	f.step("rename link")
	if err := os.Rename(temp, here); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return f.sync(path.Dir(p))
}

// Sweep removes what a killed predecessor left under way in the folder dir.
func (f FS) Sweep(dir string) error {
	entries, err := os.ReadDir(f.Here(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Stray) {
			err = errors.Join(err, f.Remove(path.Join(dir, e.Name())))
		}
	}
	return err
}

// sync makes a rename in dir last through a power cut.
func (f FS) sync(dir string) error {
	f.step("sync folder")
	d, err := os.Open(f.Here(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f FS) step(name string) {
	if f.Step != nil {
		f.Step(name)
	}
}
