package install

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

const corpus = "../../../testdata/conflists"

const entryText = `{"type": "sluice-cni", "capabilities": {"io.kubernetes.cri.pod-annotations": true}}`

// host is a host's file system in a temporary folder, with an installer for it.
type host struct {
	Installer
	t    testing.TB
	root string
}

const confDir, binDir = "/etc/cni/net.d", "/opt/cni/bin"

// newHost makes a host with empty folders and a plugin to install.
func newHost(t testing.TB) *host {
	t.Helper()
	return hostAt(t, t.TempDir())
}

func hostAt(t testing.TB, root string) *host {
	t.Helper()
	h := &host{t: t, root: root}
	for _, d := range []string{confDir, binDir} {
		must(t, os.MkdirAll(h.here(d), 0o755))
	}
	program := filepath.Join(root, "image-sluice-cni")
	must(t, os.WriteFile(program, bytes.Repeat([]byte("program "), 20_000), 0o755))
	entry, err := conflist.NewEntry([]byte(entryText))
	must(t, err)
	h.Installer = Installer{
		Host:    hostfs.FS{Root: root, Mounts: []string{confDir, binDir}},
		ConfDir: confDir, BinDir: binDir, Program: program,
		Want: Want{Entry: entry},
	}
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *host) here(p string) string { return filepath.Join(h.root, p) }

// conf is the path here of a configuration.
func (h *host) conf(name string) string { return filepath.Join(h.root, confDir, name) }

// put writes a file as its owner would: beside it, and renamed.
func (h *host) put(name string, raw []byte) {
	h.t.Helper()
	temp := h.conf("." + name + ".new") // no runtime loads a file of that extension
	must(h.t, os.WriteFile(temp, raw, 0o600))
	must(h.t, os.Rename(temp, h.conf(name)))
}

func (h *host) corpus(name string) []byte {
	h.t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus, name))
	must(h.t, err)
	return raw
}

func (h *host) read(name string) []byte {
	h.t.Helper()
	raw, err := os.ReadFile(h.conf(name))
	must(h.t, err)
	return raw
}

// once installs and wants the state given.
func (h *host) once(want State) Result {
	h.t.Helper()
	res, err := h.Once()
	if (err != nil) != (want == Refused) || res.Plan.State != want {
		h.t.Fatalf("install: got %s, %v (%v); want %s", res.Plan.State, err, res.Plan.Err, want)
	}
	return res
}

// loaded gives the plugins that a runtime runs for a pod, in order, from the
// file that it loads; nothing if it loads none.
func (h *host) loaded() (file string, types []string) {
	h.t.Helper()
	f, err := ReadFolder(hostfs.FS{Root: h.root}, confDir)
	must(h.t, err)
	var files []conflist.File
	for _, i := range f.Items {
		if conflist.Loadable(i.Name) {
			files = append(files, f.file(i))
		}
	}
	picked, _, ok := conflist.Pick(files)
	if !ok {
		return "", nil
	}
	i, _ := f.item(picked.Name)
	l, err := asList(i)
	must(h.t, err)
	types = l.Types()
	for _, d := range picked.DropIns {
		raw, err := os.ReadFile(h.conf(d))
		must(h.t, err)
		e, err := conflist.NewEntry(raw)
		must(h.t, err)
		types = append(types, e.Type())
	}
	return picked.Name, types
}

// wantLoaded compares the plugins that a runtime runs.
func (h *host) wantLoaded(file string, types string) {
	h.t.Helper()
	gotFile, gotTypes := h.loaded()
	if got := strings.Join(gotTypes, " "); gotFile != file || got != types {
		h.t.Errorf("runtime loads %s: %s; want %s: %s", gotFile, got, file, types)
	}
}

// tree gives every file of the host's two folders: content, mode, link.
func (h *host) tree() map[string]string {
	h.t.Helper()
	files := map[string]string{}
	for _, d := range []string{confDir, binDir} {
		must(h.t, filepath.WalkDir(h.here(d), func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				target, err := os.Readlink(p)
				files[strings.TrimPrefix(p, h.root)] = "→ " + target
				return err
			}
			raw, err := os.ReadFile(p)
			files[strings.TrimPrefix(p, h.root)] = info.Mode().String() + " " + string(raw)
			return err
		}))
	}
	return files
}

// sameTree compares two trees and names what differs.
func sameTree(t testing.TB, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: got %.300q\nwant %.300q", name, got[name], text)
		}
	}
	for name, text := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: got %.100q, want no such file", name, text)
		}
	}
}
