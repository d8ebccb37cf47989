package install

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// lists are the corpus's chained configurations and what they chain.
var lists = map[string]string{
	"05-cilium.conflist":        "cilium-cni",
	"10-aws.conflist":           "aws-cni egress-cni portmap",
	"10-calico.conflist":        "calico portmap bandwidth",
	"10-flannel.conflist":       "flannel portmap",
	"87-podman-bridge.conflist": "bridge portmap firewall tuning",
}

var singles = map[string]string{"10-bridge.conf": "bridge", "99-loopback.conf": "loopback"}

func TestEveryListGainsOurEntryAndUninstallGivesTheSameBytesBack(t *testing.T) {
	for name, types := range lists {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.put(name, h.corpus(name))
			before := h.tree()
			h.once(Ready)
			h.wantLoaded(name, types+" sluice-cni")
			l, _ := conflist.Parse(h.corpus(name))
			if got, want := h.read(name), l.With(h.Want.Entry); !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			h.uninstall()
			sameTree(t, h.tree(), before)
		})
	}
}

func (h *host) uninstall() {
	h.t.Helper()
	if _, err := h.Uninstall(context.Background(), 0); err != nil {
		h.t.Fatal(err)
	}
}

func TestASingleConfigurationBecomesAListAndComesBack(t *testing.T) {
	for name, types := range singles {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.put(name, h.corpus(name))
			before := h.tree()
			h.once(Ready)
			list := strings.TrimSuffix(name, ".conf") + ".conflist"
			h.wantLoaded(list, types+" sluice-cni")
			if got := h.read(name + Parked); !bytes.Equal(got, h.corpus(name)) {
				t.Errorf("parked: got %q, want the original", got)
			}
			if !bytes.Contains(h.read(list), bytes.TrimSpace(h.corpus(name))) {
				t.Errorf("the plugin is not in the list as it was written:\n%s", h.read(list))
			}
			if res := h.once(Ready); res.Wrote != 0 {
				t.Errorf("second install: wrote %d, want 0", res.Wrote)
			}
			h.uninstall()
			sameTree(t, h.tree(), before)
		})
	}
}

func TestASecondInstallWritesNothing(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	stamp := func() (times []int64) {
		for _, p := range []string{h.conf("10-calico.conflist"), h.here(binDir + "/sluice-cni"), h.here(confDir), h.here(binDir)} {
			info, err := os.Stat(p)
			must(t, err)
			times = append(times, info.ModTime().UnixNano())
		}
		return times
	}
	before := stamp()
	res := h.once(Ready)
	if after := stamp(); res.Wrote != 0 || res.Copied || !equal(before, after) {
		t.Errorf("wrote %d, copied %v, times %v → %v; want nothing touched", res.Wrote, res.Copied, before, after)
	}
}

func equal(a, b []int64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestBrokenFilesAreNeverTouchedAndLaterOnesWork(t *testing.T) {
	h := newHost(t)
	paths, err := filepath.Glob(corpus + "/broken-*")
	if err != nil || len(paths) < 4 {
		t.Fatalf("got %d broken files, %v; want at least 4", len(paths), err)
	}
	for _, p := range paths {
		h.put("00-"+filepath.Base(p), h.corpus(filepath.Base(p)))
	}
	before := h.tree()
	res := h.once(Waiting)
	if len(res.Plan.Skipped) != len(paths) {
		t.Errorf("got %d skipped, want %d, each with its reason", len(res.Plan.Skipped), len(paths))
	}
	delete(before, binDir+"/sluice-cni")
	after := h.tree()
	delete(after, binDir+"/sluice-cni")
	sameTree(t, after, before)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	for _, p := range paths {
		name := filepath.Base(p)
		if got := h.read("00-" + name); !bytes.Equal(got, h.corpus(name)) {
			t.Errorf("%s: got %q, want it untouched", name, got)
		}
	}
}

func TestAHigherPriorityFileThatAppearsLaterIsChainedToo(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.put("99-loopback.conf", h.corpus("99-loopback.conf"))
	h.once(Ready)
	h.wantLoaded("10-calico.conflist", "calico portmap bandwidth sluice-cni")
	h.put("05-cilium.conflist", h.corpus("05-cilium.conflist"))
	h.once(Ready)
	h.wantLoaded("05-cilium.conflist", "cilium-cni sluice-cni")
	must(t, os.Remove(h.conf("05-cilium.conflist")))
	h.wantLoaded("10-calico.conflist", "calico portmap bandwidth sluice-cni")
	if got := h.read("99-loopback.conf"); !bytes.Equal(got, h.corpus("99-loopback.conf")) {
		t.Errorf("a file that is not loaded was edited: %s", got)
	}
}

func TestANamedFileIsEditedAndWaitedFor(t *testing.T) {
	h := newHost(t)
	h.Want.Named = "87-podman-bridge.conflist"
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	if res := h.once(Waiting); !errors.Is(res.Plan.Err, ErrNoNamed) {
		t.Errorf("got %v, want %v", res.Plan.Err, ErrNoNamed)
	}
	h.put(h.Want.Named, h.corpus("broken-truncated.conflist"))
	h.once(Waiting)
	h.put(h.Want.Named, h.corpus(h.Want.Named))
	h.once(Ready)
	if got := h.read("10-calico.conflist"); !bytes.Equal(got, h.corpus("10-calico.conflist")) {
		t.Errorf("the other file was edited: %s", got)
	}
	if !bytes.Contains(h.read(h.Want.Named), []byte("sluice-cni")) {
		t.Errorf("the named file was not edited")
	}
}

func TestANamedSingleConfigurationStaysFoundOnceItIsAList(t *testing.T) {
	h := newHost(t)
	h.Want.Named = "10-bridge.conf"
	h.put("10-bridge.conf", h.corpus("10-bridge.conf"))
	h.once(Ready)
	if res := h.once(Ready); res.Wrote != 0 || res.Plan.File != "10-bridge.conflist" {
		t.Errorf("got %d written, file %s; want nothing, 10-bridge.conflist", res.Wrote, res.Plan.File)
	}
}

func TestAForeignListOfTheSameStemIsNotOverwritten(t *testing.T) {
	h := newHost(t)
	h.put("10-bridge.conf", h.corpus("10-bridge.conf"))
	h.put("10-bridge.conflist", h.corpus("10-flannel.conflist"))
	before := h.tree()
	h.once(Ready)
	h.wantLoaded("10-bridge.conf.conflist", "bridge sluice-cni")
	if got := h.read("10-bridge.conflist"); !bytes.Equal(got, h.corpus("10-flannel.conflist")) {
		t.Errorf("got %s, want the foreign list untouched", got)
	}
	h.uninstall()
	sameTree(t, h.tree(), before)
}

func TestASingleConfigurationWrittenAnewIsWrappedAnew(t *testing.T) {
	h := newHost(t)
	h.put("10-bridge.conf", h.corpus("10-bridge.conf"))
	h.once(Ready)
	anew := bytes.Replace(h.corpus("10-bridge.conf"), []byte("cni0"), []byte("cni9"), 1)
	h.put("10-bridge.conf", anew)
	h.once(Ready)
	h.wantLoaded("10-bridge.conflist", "bridge sluice-cni")
	if !bytes.Contains(h.read("10-bridge.conflist"), []byte("cni9")) {
		t.Errorf("got the old content:\n%s", h.read("10-bridge.conflist"))
	}
	h.uninstall()
	if got := h.read("10-bridge.conf"); !bytes.Equal(got, anew) {
		t.Errorf("restored: got %s, want the newer one", got)
	}
}

func TestAVersionWithoutChainingIsRefused(t *testing.T) {
	h := newHost(t)
	old := bytes.Replace(h.corpus("10-calico.conflist"), []byte("0.3.1"), []byte("0.2.0"), 1)
	h.put("10-calico.conflist", old)
	h.once(Refused)
	var version *VersionError
	if _, err := h.Once(); !errors.As(err, &version) || version.Version != "0.2.0" {
		t.Errorf("got %v, want a VersionError of 0.2.0", err)
	}
	if got := h.read("10-calico.conflist"); !bytes.Equal(got, old) {
		t.Errorf("edited all the same: %s", got)
	}
}

func TestThePluginIsCopiedWhenItDiffersInContentOrMode(t *testing.T) {
	h := newHost(t)
	dst := h.here(path.Join(binDir, "sluice-cni"))
	for _, spoil := range []func(){
		func() {},
		func() { must(t, os.Chmod(dst, 0o644)) },
		func() { must(t, os.Truncate(dst, 100)) },
		func() { must(t, os.WriteFile(dst, []byte("other"), 0o755)) },
		func() { must(t, os.Remove(dst)) },
	} {
		spoil()
		if res := h.once(Waiting); !res.Copied {
			t.Error("got no copy, want one")
		}
		if res := h.once(Waiting); res.Copied {
			t.Error("copied twice")
		}
		got, _ := os.ReadFile(dst)
		want, _ := os.ReadFile(h.Program)
		info, err := os.Stat(dst)
		if err != nil || !bytes.Equal(got, want) || info.Mode().Perm() != 0o755 {
			t.Errorf("got %d bytes, %v; want %d, -rwxr-xr-x", len(got), info.Mode(), len(want))
		}
	}
}

func TestAFileLeftByAKilledInstallIsSwept(t *testing.T) {
	h := newHost(t)
	for _, d := range []string{confDir, binDir} {
		must(t, os.WriteFile(h.here(d+"/"+hostfs.Stray+"123"), []byte("{"), 0o600))
	}
	must(t, h.Sweep())
	for name := range h.tree() {
		if strings.Contains(name, hostfs.Stray) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestSomeoneElsesWriteDuringOursIsNotLost(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	newer := bytes.Replace(h.corpus("10-calico.conflist"), []byte("portmap"), []byte("newer"), 1)
	meddled := false
	h.Host.Step = func(step string) {
		if step == "sync" && !meddled { // the new file is written, but not in place
			meddled = true
			h.put("10-calico.conflist", newer)
		}
	}
	h.put("99-x.conflist", nil)
	_, err := CopyPlugin(hostfs.FS{Root: h.root}, h.Program, binDir, "sluice-cni")
	must(t, err)
	h.once(Ready)
	h.wantLoaded("10-calico.conflist", "calico newer bandwidth sluice-cni")
	if !meddled {
		t.Error("the other writer never ran: the test proves nothing")
	}
}

func TestDiscoveryPrefersThePlaceWhereThePrimaryPluginLies(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	must(t, os.MkdirAll(h.here("/home/kubernetes/bin"), 0o755))
	all := hostfs.FS{Root: h.root}
	place, _, err := Discover(all)
	if err != nil || place != Places[0] {
		t.Errorf("got %+v, %v; want the common place", place, err)
	}
	must(t, os.WriteFile(h.here("/home/kubernetes/bin/calico"), nil, 0o755))
	place, tried, err := Discover(all)
	if err != nil || place.Platform != "gke" {
		t.Errorf("calico lies in /home/kubernetes/bin: got %+v, %v; want gke", place, err)
	}
	var table bytes.Buffer
	must(t, PrintTried(&table, tried, place))
	for _, p := range Places {
		if !strings.Contains(table.String(), p.Platform) || !strings.Contains(table.String(), p.BinDir) {
			t.Errorf("the table does not show %+v:\n%s", p, &table)
		}
	}
	if _, _, err := Discover(hostfs.FS{Root: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "--conf-dir") {
		t.Errorf("empty host: got %v, want an error that names --conf-dir", err)
	}
}
