package install

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

func TestTheProgramStaysWhileAnyFileMayHoldOurEntryAndItIsNamed(t *testing.T) {
	whole := func(h *host) []byte { return []byte(`{"name":"n","plugins":[{"type":"ptp"},` + entryText + `]}`) }
	for _, tc := range []struct {
		what, name string
		raw        func(*host) []byte
	}{
		{"a list that is cut short", "20-cut.conflist", func(h *host) []byte { return bytes.TrimSuffix(whole(h), []byte("]}")) }},
		{"a list renamed by another program", "10-calico.conflist.cilium_bak", whole},
		{"a hidden copy of a list", ".10-calico.conflist.old", whole},
		{"a drop-in that is cut short", "pods/10-x.conf", func(h *host) []byte { return []byte(entryText[:len(entryText)-1]) }},
		{"a drop-in of a network without a list", "other/10-x.conf", func(h *host) []byte { return []byte(entryText) }},
		{"a single configuration", "30-own.conf", func(h *host) []byte { return []byte(`{"name":"n",` + entryText[1:]) }},
	} {
		h := newHost(t)
		h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
		h.once(Ready)
		must(t, os.MkdirAll(filepath.Dir(h.conf(tc.name)), 0o755))
		must(t, os.WriteFile(h.conf(tc.name), tc.raw(h), 0o644))
		for range 2 {
			_, err := h.Uninstall(context.Background(), 0)
			var left *LeftError
			if !errors.As(err, &left) || left.Path != path.Join(confDir, tc.name) {
				t.Errorf("%s: got %v, want a LeftError that names %s", tc.what, err, tc.name)
			}
			if _, err := os.Stat(h.here(binDir + "/sluice-cni")); err != nil {
				t.Errorf("%s: the program: %v", tc.what, err)
			}
		}
		h.wantLoaded("10-calico.conflist", "calico portmap bandwidth")
		must(t, os.Remove(h.conf(tc.name)))
		h.uninstall()
		if _, err := os.Stat(h.here(binDir + "/sluice-cni")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is gone: got %v, want the program gone too", tc.what, err)
		}
	}
}

func TestFilesThatDoNotConcernUsDoNotKeepTheProgram(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	for name, text := range map[string]string{
		"20-cut.conflist":    `{"name":"n","plugins":[{"type":"ptp"`,
		"30-named.conflist":  `{"name":"sluice-cni","plugins":[{"type":"ptp"}]}`,
		"calico-kubeconfig":  "apiVersion: v1",
		hostfs.Stray + "123": `{"plugins":[` + entryText,
		"60-named.conf.old":  `{"name":"sluice-cni","type":"ptp"}`,
	} {
		must(t, os.WriteFile(h.conf(name), []byte(text), 0o644))
	}
	must(t, os.Symlink("/elsewhere/sluice-cni", h.conf("40-out.conflist")))
	must(t, os.Symlink("nothing-there", h.conf("45-dangling")))
	must(t, os.Mkdir(h.conf("sluice-cni"), 0o755))
	must(t, os.WriteFile(h.conf("50-huge"), append(bytes.Repeat([]byte(" "), 1<<20), entryText...), 0o644))
	h.uninstall()
	if _, err := os.Stat(h.here(binDir + "/sluice-cni")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want the program gone", err)
	}
}

func TestNothingToUninstallFromIsNoError(t *testing.T) {
	for _, missing := range [][]string{{confDir}, {"/etc"}, {binDir}, {"/opt"}, {"/etc", "/opt"}} {
		h := newHost(t)
		h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
		h.once(Ready)
		for _, d := range missing {
			must(t, os.RemoveAll(h.here(d)))
		}
		if removed, err := h.Uninstall(context.Background(), 0); err != nil || removed > 1 {
			t.Errorf("without %v: got %d, %v; want no error", missing, removed, err)
		}
		for name := range h.treeThere() {
			if path.Base(name) == "sluice-cni" {
				t.Errorf("without %v: %s is still there", missing, name)
			}
		}
		if _, err := os.Stat(h.here(confDir)); err == nil {
			h.wantLoaded("10-calico.conflist", "calico portmap bandwidth")
		}
	}
}

// treeThere names the files of the host's root.
func (h *host) treeThere() map[string]bool {
	h.t.Helper()
	files := map[string]bool{}
	must(h.t, filepath.WalkDir(h.root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files[p] = true
		}
		return err
	}))
	return files
}

func TestWhatMayHoldOurEntrySaysWhy(t *testing.T) {
	h := newHost(t)
	must(t, os.WriteFile(h.conf("10-x.bak"), []byte(entryText), 0o644))
	must(t, os.Symlink("20-loop", h.conf("20-loop")))
	err := left(h.Host, confDir, "sluice-cni")
	if err == nil || !errors.Is(err, syscall.ELOOP) {
		t.Fatalf("got %v, want the system's error too", err)
	}
	for _, want := range []string{"10-x.bak may still hold our entry (it names the plugin)", "20-loop may still hold our entry (resolve ", "the plugin stays"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	var file *LeftError
	if err := left(h.Host, confDir+"/20-loop", "sluice-cni"); !errors.Is(err, syscall.ELOOP) || errors.As(err, &file) {
		t.Errorf("a folder that cannot be read: got %v, want the system's error and no file", err)
	}
	if err := left(h.Host, confDir+"/missing", "sluice-cni"); err != nil {
		t.Errorf("no folder: got %v, want nil", err)
	}
}

func TestUninstallTellsAFolderThatItMayNotLookInto(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	var outside *hostfs.OutsideError
	h.Host.Mounts = []string{binDir}
	if _, err := h.Uninstall(context.Background(), 0); !errors.As(err, &outside) {
		t.Errorf("configurations not mounted: got %v, want an OutsideError", err)
	}
	h.Host.Mounts = []string{confDir}
	if _, err := h.Uninstall(context.Background(), 0); !errors.As(err, &outside) {
		t.Errorf("plugins not mounted: got %v, want an OutsideError", err)
	}
}
