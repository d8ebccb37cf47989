package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// LeftError is a file of the configuration folder that may still hold our
// entry after everything was taken out that could be. Without its program
// every pod would fail once a runtime loads that file.
type LeftError struct {
	Path string // on the host
	Err  error  // why it could not be read; nil if it was, and names the plugin
}

func (e *LeftError) Error() string {
	why := "it names the plugin"
	if e.Err != nil {
		why = e.Err.Error()
	}
	return fmt.Sprintf("%s may still hold our entry (%s), so the plugin stays: take the entry out of it or delete it, and uninstall again", e.Path, why)
}

// Unwrap gives the reason why the file could not be read.
func (e *LeftError) Unwrap() error { return e.Err }

// left gives the files of the host's folder dir, and of the folders in it, that
// may still hold an entry for the plugin kind, whatever their name: other
// programs rename files of this folder, and back. It is a join of *LeftError.
func left(host hostfs.FS, dir, kind string) (found error) {
	err := fs.WalkDir(os.DirFS(host.Here(dir)), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return gone(err)
		}
		if i := readItem(host, dir, name); unread(i) || mentions(i.Raw, kind) {
			found = errors.Join(found, &LeftError{Path: path.Join(dir, name), Err: i.Err})
		}
		return nil
	})
	return errors.Join(found, err)
}

// unread tells files that could not be read this time. A link out of the
// mounted folders and a file beyond all measure are not ours to have written.
func unread(i Item) bool {
	var read *fs.PathError
	return errors.As(i.Err, &read) && !errors.Is(i.Err, fs.ErrNotExist)
}

// mentions asks the list or plugin that the text is, and any other text whether
// it has the name at all.
func mentions(raw []byte, kind string) bool {
	if l, _ := conflist.Parse(raw); len(l.Types()) > 0 { // what is no list has none
		return slices.Contains(l.Types(), kind)
	}
	if e, err := conflist.NewEntry(raw); err == nil {
		return e.Type() == kind
	}
	return bytes.Contains(raw, []byte(kind))
}

// gone makes what is not there no error.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
