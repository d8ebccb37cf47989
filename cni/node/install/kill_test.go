package install

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/leak"
)

// A child of these tests is this test binary run again: it carries out one
// installation or removal and kills itself with SIGKILL before the n-th change.
const childEnv = "SLUICE_TEST_KILL"

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		child(spec)
		return
	}
	leak.Main(m)
}

// child runs "verb:root:owned:n"; n < 0 lives on and prints its steps.
func child(spec string) {
	f := strings.Split(spec, "|")
	var t testing.T
	h := hostAt(&t, f[1])
	h.Want.Owned = f[2] == "true"
	n, err := strconv.Atoi(f[3])
	if err != nil {
		panic(err)
	}
	h.Host.Step = func(step string) {
		if n == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		n--
		fmt.Println(step)
	}
	if f[0] == "install" {
		_, err = h.Once()
	} else {
		_, err = h.Uninstall(context.Background(), 0)
	}
	if err != nil {
		panic(err)
	}
}

// run starts the child and gives the steps that it took.
func (h *host) run(verb string, n int) []string {
	h.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%v|%d", childEnv, verb, h.root, h.Want.Owned, n))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if (n >= 0) != killed || err != nil && !killed {
		h.t.Fatalf("child %s %d: %v\n%s", verb, n, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// scenes are the ways in which a folder comes to hold our entry.
var scenes = []struct {
	name     string
	owned    bool
	prepare  func(*host)
	old, new string
}{
	{"list", false, func(h *host) { h.put("10-calico.conflist", h.corpus("10-calico.conflist")) },
		"calico portmap bandwidth", "calico portmap bandwidth sluice-cni"},
	{"single configuration", false, func(h *host) { h.put("10-bridge.conf", h.corpus("10-bridge.conf")) },
		"bridge", "bridge sluice-cni"},
	{"owned list", true, func(h *host) { h.put("10-calico.conflist", h.corpus("10-calico.conflist")) },
		"calico portmap bandwidth", "calico portmap bandwidth sluice-cni"},
	{"owned list of a single configuration", true, func(h *host) { h.put("10-bridge.conf", h.corpus("10-bridge.conf")) },
		"bridge", "bridge sluice-cni"},
	{"behind a link", false, func(h *host) {
		must(h.t, os.Mkdir(h.conf("real"), 0o755))
		must(h.t, os.WriteFile(h.conf("real/a.conflist"), h.corpus("10-flannel.conflist"), 0o644))
		must(h.t, os.Symlink("real/a.conflist", h.conf("10-flannel.conflist")))
	}, "flannel portmap", "flannel portmap sluice-cni"},
	{"drop-in folder", false, func(h *host) {
		h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
		must(h.t, os.Mkdir(h.conf("k8s-pod-network"), 0o755))
		must(h.t, os.WriteFile(h.conf("k8s-pod-network/50-t.conf"), []byte(`{"type":"tuning"}`), 0o644))
	}, "calico portmap bandwidth tuning", "calico portmap bandwidth tuning sluice-cni"},
}

func TestKilledAtEveryStepOfAnInstallTheRuntimeLoadsOldOrNewAndTheNextRunFinishes(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			whole := sceneHost(t, s.owned, s.prepare)
			steps := whole.run("install", -1)
			if len(steps) < 10 {
				t.Fatalf("got %d steps (%v), want at least 10", len(steps), steps)
			}
			for n, step := range steps {
				h := sceneHost(t, s.owned, s.prepare)
				h.run("install", n)
				if _, types := h.loaded(); strings.Join(types, " ") != s.old && strings.Join(types, " ") != s.new {
					t.Errorf("killed before %q: runtime loads %v, want %q or %q", step, types, s.old, s.new)
				}
				h.wantPluginForEntry(step)
				must(t, h.Sweep())
				h.once(Ready)
				sameTree(t, h.tree(), whole.tree())
			}
		})
	}
}

func TestKilledAtEveryStepOfAnUninstallTheRuntimeLoadsOldOrNewAndTheNextRunFinishes(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			whole := sceneHost(t, s.owned, s.prepare)
			before := whole.tree()
			whole.once(Ready)
			steps := whole.run("uninstall", -1)
			for n, step := range steps {
				h := sceneHost(t, s.owned, s.prepare)
				h.once(Ready)
				h.run("uninstall", n)
				if _, types := h.loaded(); strings.Join(types, " ") != s.old && strings.Join(types, " ") != s.new {
					t.Errorf("killed before %q: runtime loads %v, want %q or %q", step, types, s.old, s.new)
				}
				h.wantPluginForEntry(step)
				h.uninstall()
				sameTree(t, h.tree(), before)
			}
		})
	}
}

func sceneHost(t *testing.T, owned bool, prepare func(*host)) *host {
	t.Helper()
	h := newHost(t)
	h.Want.Owned = owned
	prepare(h)
	return h
}

// wantPluginForEntry: an entry without its whole program would fail every pod.
func (h *host) wantPluginForEntry(step string) {
	h.t.Helper()
	_, types := h.loaded()
	if !slices.Contains(types, "sluice-cni") {
		return
	}
	if same, err := samePlugin(h.Program, h.here(binDir+"/sluice-cni")); err != nil || !same {
		h.t.Errorf("killed before %q: our entry is loaded, but the program is not whole (%v)", step, err)
	}
}

// A random walk of everything that can happen to the folder. After each
// installation the runtime's chain ends in our entry, once; after an uninstall
// nothing of ours is left.
func TestAnyHistoryOfTheFolderEndsWithOurEntryLastAndOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		h := newHost(t)
		for range 25 {
			what := h.happen(random)
			h.checkWalk(what, seed)
		}
	}
}

// happen does one random thing to the folder.
func (h *host) happen(r *rand.Rand) string {
	names := slices.Sorted(func(yield func(string) bool) {
		entries, err := os.ReadDir(corpus)
		must(h.t, err)
		for _, e := range entries {
			if e.Name() != "README.md" && !yield(e.Name()) {
				return
			}
		}
	})
	name := names[r.IntN(len(names))]
	switch r.IntN(6) {
	case 0, 1:
		h.put(name, h.corpus(name))
		return "write " + name
	case 2:
		os.Remove(h.conf(name))
		return "remove " + name
	case 3:
		h.Want.Owned = !h.Want.Owned
		return fmt.Sprint("owned ", h.Want.Owned)
	case 4:
		dir := h.conf("k8s-pod-network")
		must(h.t, os.MkdirAll(dir, 0o755))
		must(h.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.conf", r.IntN(3))), []byte(`{"type":"tuning"}`), 0o644))
		return "drop in"
	}
	os.RemoveAll(h.conf("k8s-pod-network"))
	return "remove drop-ins"
}

func (h *host) checkWalk(what string, seed uint64) {
	h.t.Helper()
	res, err := h.Once()
	if err != nil {
		h.t.Fatalf("seed %d, after %s: %v", seed, what, err)
	}
	file, types := h.loaded()
	ours := 0
	for _, t := range types {
		if t == "sluice-cni" {
			ours++
		}
	}
	last := len(types) > 0 && types[len(types)-1] == "sluice-cni"
	if res.Plan.State == Ready && (ours != 1 || !last) {
		h.t.Fatalf("seed %d, after %s: runtime loads %s: %v; want ours last and once\n%v", seed, what, file, types, h.tree())
	}
	if again, err := h.Once(); err != nil || again.Wrote != 0 {
		h.t.Fatalf("seed %d, after %s: a second run wrote %d (%v): %+v", seed, what, again.Wrote, err, again.Plan.Actions)
	}
}
