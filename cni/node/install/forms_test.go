package install

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// The forms in which a configuration comes: behind a link, with modes, with
// drop-ins, and as a list of our own.

func TestALinkIsFollowedUnderTheHostsRootAndStaysALink(t *testing.T) {
	for _, target := range []string{confDir + "/real/10-calico.conflist", "real/10-calico.conflist", "../../../" + confDir + "/real/10-calico.conflist"} {
		h := newHost(t)
		must(t, os.Mkdir(h.conf("real"), 0o755))
		must(t, os.WriteFile(h.conf("real/10-calico.conflist"), h.corpus("10-calico.conflist"), 0o640))
		must(t, os.Symlink(target, h.conf("10-calico.conflist")))
		before := h.tree()
		h.once(Ready)
		h.wantThroughLink(target)
		h.uninstall()
		sameTree(t, h.tree(), before)
	}
}

func (h *host) wantThroughLink(target string) {
	h.t.Helper()
	if got, err := os.Readlink(h.conf("10-calico.conflist")); err != nil || got != target {
		h.t.Errorf("link: got %s, %v; want %s", got, err, target)
	}
	raw, err := os.ReadFile(h.conf("real/10-calico.conflist"))
	if err != nil || !bytes.Contains(raw, []byte("sluice-cni")) {
		h.t.Errorf("behind the link: got %s, %v; want our entry", raw, err)
	}
}

func TestALinkOutOfTheMountedFoldersIsRefusedWithItsPath(t *testing.T) {
	h := newHost(t)
	must(t, os.MkdirAll(h.here("/var/lib/net"), 0o755))
	// The same path exists outside of the host's root too: the container's.
	must(t, os.WriteFile(h.here("/var/lib/net/a.conflist"), h.corpus("10-calico.conflist"), 0o644))
	must(t, os.Symlink("/var/lib/net/a.conflist", h.conf("10-calico.conflist")))
	_, err := h.Once()
	var outside *hostfs.OutsideError
	if !errors.As(err, &outside) || outside.Target != "/var/lib/net/a.conflist" {
		t.Fatalf("got %v, want an OutsideError that names /var/lib/net/a.conflist", err)
	}
	raw, _ := os.ReadFile(h.here("/var/lib/net/a.conflist"))
	if !bytes.Equal(raw, h.corpus("10-calico.conflist")) {
		t.Errorf("the target was edited: %s", raw)
	}
	h.Host.Mounts = append(h.Host.Mounts, "/var/lib/net")
	h.once(Ready)
	h.wantLoaded("10-calico.conflist", "calico portmap bandwidth sluice-cni")
}

func TestModeIsKept(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o644, 0o640, 0o400} {
		h := newHost(t)
		h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
		must(t, os.Chmod(h.conf("10-calico.conflist"), mode))
		h.once(Ready)
		info, err := os.Stat(h.conf("10-calico.conflist"))
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("got %04o, want %04o", info.Mode().Perm(), mode)
		}
	}
}

func TestDropInPluginsCountForLast(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	dir := h.conf("k8s-pod-network")
	must(t, os.Mkdir(dir, 0o755))
	for i, name := range []string{"50-tuning.conf", "zzz.conf"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(`{"type":"tuning"}`), 0o644))
		h.once(Ready)
		h.wantLoaded("10-calico.conflist", "calico portmap bandwidth"+strings.Repeat(" tuning", i+1)+" sluice-cni")
		if res := h.once(Ready); res.Wrote != 0 {
			t.Errorf("%s: second install wrote %d, want 0", name, res.Wrote)
		}
	}
	h.Want.Owned = true
	h.once(Ready)
	h.wantLoaded("00-sluice-cni.conflist", "calico portmap bandwidth tuning tuning sluice-cni")
	h.Want.Owned = false
	must(t, os.Remove(filepath.Join(dir, "zzz.conf")))
	must(t, os.Remove(filepath.Join(dir, "50-tuning.conf")))
	h.once(Ready)
	h.wantLoaded("10-calico.conflist", "calico portmap bandwidth sluice-cni")
	h.uninstall()
	if got := h.read("10-calico.conflist"); !bytes.Equal(got, h.corpus("10-calico.conflist")) {
		t.Errorf("got %s, want the original", got)
	}
}

func TestDropInPluginsAreTakenOutOnUninstall(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	must(t, os.Mkdir(h.conf("k8s-pod-network"), 0o755))
	must(t, os.WriteFile(h.conf("k8s-pod-network/50-tuning.conf"), []byte(`{"type":"tuning"}`), 0o644))
	before := h.tree()
	h.once(Ready)
	h.uninstall()
	sameTree(t, h.tree(), before)
}

func TestAnOwnedListSortsFirstFollowsItsSourceAndLeavesItAlone(t *testing.T) {
	h := newHost(t)
	h.Want.Owned = true
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	before := h.tree()
	h.once(Ready)
	h.wantLoaded("00-sluice-cni.conflist", "calico portmap bandwidth sluice-cni")
	if got := h.read("10-calico.conflist"); !bytes.Equal(got, h.corpus("10-calico.conflist")) {
		t.Errorf("the source was edited: %s", got)
	}
	h.put("10-calico.conflist", bytes.Replace(h.corpus("10-calico.conflist"), []byte("portmap"), []byte("changed"), 1))
	h.once(Ready)
	h.wantLoaded("00-sluice-cni.conflist", "calico changed bandwidth sluice-cni")
	h.put("00-bridge.conf", h.corpus("10-bridge.conf"))
	h.once(Ready)
	h.wantLoaded("00--sluice-cni.conflist", "bridge sluice-cni")
	must(t, os.Remove(h.conf("00-bridge.conf")))
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	h.uninstall()
	sameTree(t, h.tree(), before)
}

func TestAnOwnedListSurvivesWhileItsSourceIsAwayAsAfterAReboot(t *testing.T) {
	h := newHost(t)
	h.Want.Owned = true
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	must(t, os.Remove(h.conf("10-calico.conflist")))
	h.once(Waiting)
	h.wantLoaded("00-sluice-cni.conflist", "calico portmap bandwidth sluice-cni")
}

func TestSwitchingTheOwnedListOnAndOffLeavesOneEntry(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	for _, owned := range []bool{false, true, false, true} {
		h.Want.Owned = owned
		h.once(Ready)
		file := map[bool]string{false: "10-calico.conflist", true: "00-sluice-cni.conflist"}[owned]
		h.wantLoaded(file, "calico portmap bandwidth sluice-cni")
	}
}

func TestWhileAFileCannotBeReadItMayHoldOurEntryAndTheProgramStays(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	before := h.tree()
	h.once(Ready)
	must(t, os.Symlink("20-loop.conflist", h.conf("20-loop.conflist")))
	if _, err := h.Uninstall(context.Background(), 0); err == nil || !strings.Contains(err.Error(), "20-loop.conflist may still hold our entry") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	h.wantPluginForEntry("uninstall")
	if _, err := os.Stat(h.here(binDir + "/sluice-cni")); err != nil {
		t.Errorf("the program: %v", err)
	}
	must(t, os.Remove(h.conf("20-loop.conflist")))
	h.uninstall()
	sameTree(t, h.tree(), before)
}
