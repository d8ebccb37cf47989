// Package archive writes files as layers and layers as images, the same bytes
// for the same content: sorted, owned by root, with one time for all.
package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Entry is one file of a layer: a body, the target of a symbolic link, or
// with fs.ModeDir an empty folder.
type Entry struct {
	Mode fs.FileMode
	Body []byte
	Link string // "" for a regular file
}

// Tree is the content of a layer by path, without a leading slash. Parent
// folders come by themselves.
type Tree map[string]Entry

// File adds a regular file.
func (t Tree) File(name string, mode fs.FileMode, body []byte) {
	t[clean(name)] = Entry{Mode: mode, Body: body}
}

// Folder adds a folder that would otherwise hold nothing.
func (t Tree) Folder(name string) { t[clean(name)] = Entry{Mode: fs.ModeDir | 0o755} }

// Link adds a symbolic link.
func (t Tree) Link(name, target string) { t[clean(name)] = Entry{Mode: 0o777, Link: target} }

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// Tar is the layer as an uncompressed archive whose every time is when.
func (t Tree) Tar(when time.Time) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range t.names() {
		h := &tar.Header{Name: name, ModTime: when, Format: tar.FormatPAX, Mode: 0o755, Typeflag: tar.TypeDir}
		e, listed := t[name]
		switch {
		case !listed, e.Mode.IsDir():
			h.Name += "/"
		case e.Link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.Link, int64(e.Mode)
		default:
			h.Typeflag, h.Size, h.Mode = tar.TypeReg, int64(len(e.Body)), int64(e.Mode)
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, err := w.Write(e.Body); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// names are all files and the folders that they stand in, parents first.
func (t Tree) names() []string {
	seen := map[string]bool{}
	for name := range t {
		for ; name != "." && !seen[name]; name = path.Dir(name) {
			seen[name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
