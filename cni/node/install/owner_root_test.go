//go:build linux

// The tests of this file need root: they change owners and mount a file system.
package install

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: it changes owners and mounts")
	}
}

func TestOwnerIsKept(t *testing.T) {
	needRoot(t)
	h := newHost(t)
	for _, name := range []string{"10-calico.conflist", "05-bridge.conf"} {
		h.put(name, h.corpus(strings.Replace(name, "05-", "10-", 1)))
		must(t, os.Chown(h.conf(name), 1234, 5678))
		h.once(Ready)
		file, _ := h.loaded()
		info, err := os.Stat(h.conf(file))
		must(t, err)
		if got := info.Sys().(*syscall.Stat_t); got.Uid != 1234 || got.Gid != 5678 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %d:%d %v, want 1234:5678 -rw-------", file, got.Uid, got.Gid, info.Mode())
		}
	}
}

func TestAReadOnlyTargetIsAnErrorThatSaysWhatToDoAndLeavesTheFile(t *testing.T) {
	needRoot(t)
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	dir := h.here(confDir)
	must(t, syscall.Mount(dir, dir, "", syscall.MS_BIND, ""))
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	must(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err := h.Once()
	if err == nil || !strings.Contains(err.Error(), "--conf-dir") || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v, want the system's word and --conf-dir", err)
	}
	if got := h.read("10-calico.conflist"); !bytes.Equal(got, h.corpus("10-calico.conflist")) {
		t.Errorf("got %s, want the file as it was", got)
	}
	place, tried, _ := Discover(h.Host)
	if tried[0].Conf != Locked {
		t.Errorf("discovery: got %s, want %s (chosen %+v)", tried[0].Conf, Locked, place)
	}
}

func TestAFullDiskLeavesTheOldFile(t *testing.T) {
	needRoot(t)
	h := newHost(t)
	must(t, syscall.Mount("tmpfs", h.here(confDir), "tmpfs", 0, "size=4096"))
	defer syscall.Unmount(h.here(confDir), syscall.MNT_DETACH)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	before := h.tree()
	delete(before, binDir+"/sluice-cni")
	_, err := h.Once()
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("got %v, want no space left", err)
	}
	after := h.tree()
	delete(after, binDir+"/sluice-cni")
	sameTree(t, after, before)
}
