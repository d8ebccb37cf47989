//go:build linux

package install

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/cni/node/conflist"
)

// watched runs a loop over the host until the test ends.
type watched struct {
	*host
	mu     sync.Mutex
	passes []Pass
	stop   func()
}

func (h *host) watch() *watched {
	w := &watched{host: h}
	ctx, cancel := context.WithCancel(context.Background())
	loop := &Loop{Installer: h.Installer, Notify: w.note}
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run: got %v, want nil", err)
		}
	})
	h.t.Cleanup(w.stop)
	return w
}

func (w *watched) note(p Pass) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passes = append(w.passes, p)
}

func (w *watched) last() Pass {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.passes) == 0 {
		return Pass{}
	}
	return w.passes[len(w.passes)-1]
}

// wrote is how many passes changed the folder.
func (w *watched) wrote() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.passes {
		if p.Wrote > 0 {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("10s in vain for: %s", what)
}

func (w *watched) chained(file string) func() bool {
	return func() bool {
		got, types := w.loaded()
		return got == file && len(types) > 0 && types[len(types)-1] == "sluice-cni"
	}
}

func TestTheLoopWaitsForTheFileAndKeepsTheEntry(t *testing.T) {
	h := newHost(t)
	w := h.watch()
	eventually(t, "waiting", func() bool { return w.last().Plan.State == Waiting })
	h.put("10-calico.conflist", h.corpus("broken-truncated.conflist"))
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	eventually(t, "the entry", w.chained("10-calico.conflist"))
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	eventually(t, "the entry after a rewrite", w.chained("10-calico.conflist"))
	h.put("05-cilium.conflist", h.corpus("05-cilium.conflist"))
	eventually(t, "a file of higher priority", w.chained("05-cilium.conflist"))
	must(t, os.Remove(h.here(binDir+"/sluice-cni")))
	eventually(t, "the plugin", func() bool { _, err := os.Stat(h.here(binDir + "/sluice-cni")); return err == nil })
	before := h.tree()
	w.stop()
	sameTree(t, h.tree(), before) // a rolling upgrade removes nothing
}

func TestTheLoopSeesFilesBehindLinksDropInsAndAFolderMadeLater(t *testing.T) {
	h := newHost(t)
	must(t, os.RemoveAll(h.here(confDir)))
	w := h.watch()
	eventually(t, "waiting for the folder", func() bool { return w.last().Plan.State == Waiting })
	must(t, os.MkdirAll(h.conf("real"), 0o755))
	must(t, os.Symlink("real/a.conflist", h.conf("10-calico.conflist")))
	must(t, os.WriteFile(h.conf("real/a.conflist"), h.corpus("10-calico.conflist"), 0o644))
	eventually(t, "the entry behind the link", w.chained("10-calico.conflist"))
	must(t, os.WriteFile(h.conf("real/a.conflist"), h.corpus("10-calico.conflist"), 0o644))
	eventually(t, "the entry behind the link, again", w.chained("10-calico.conflist"))
	must(t, os.Mkdir(h.conf("k8s-pod-network"), 0o755))
	must(t, os.WriteFile(h.conf("k8s-pod-network/zz.conf"), []byte(`{"type":"tuning"}`), 0o644))
	eventually(t, "our drop-in behind the other", func() bool {
		_, types := h.loaded()
		return strings.HasSuffix(strings.Join(types, " "), "tuning sluice-cni")
	})
}

// A primary plugin that rewrites its file every 100 ms for a minute: our writes
// stay few, no reader ever sees an invalid file, and the report says who.
func TestAPrimaryThatKeepsRevertingGetsFewWritesAndNoInvalidFile(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	raw := h.corpus("05-cilium.conflist")
	h.put("05-cilium.conflist", raw)
	w := h.watch()
	eventually(t, "the entry", w.chained("05-cilium.conflist"))
	end := time.Now().Add(60 * time.Second)
	if testing.Short() {
		end = time.Now().Add(5 * time.Second)
	}
	rewrites := 0
	for next := time.Now(); time.Now().Before(end); next = next.Add(100 * time.Millisecond) {
		h.put("05-cilium.conflist", raw)
		rewrites++
		for time.Now().Before(next) {
			seen := h.read("05-cilium.conflist")
			if _, err := conflist.Parse(seen); err != nil {
				t.Fatalf("an invalid file was there: %v\n%s", err, seen)
			}
			time.Sleep(time.Millisecond)
		}
	}
	p := w.last()
	if n := w.wrote(); n < 4 || n > 12 {
		t.Errorf("got %d writes against %d rewrites, want 4 to 12", n, rewrites)
	}
	if p.Reverts < 3 || p.Plan.File != "05-cilium.conflist" || !strings.Contains(p.Cause, "cni.exclusive=false") {
		t.Errorf("got file %s, %d reverts, cause %q; want the file, at least 3, and cilium's exclusive mode", p.Plan.File, p.Reverts, p.Cause)
	}
	if p.Ready() {
		t.Error("got ready while the entry is held back, want not ready")
	}
}

func TestBackoffBoundsWritesInAnyMinute(t *testing.T) {
	b := newBackoff()
	now := time.Unix(1000, 0)
	writes := 0
	for end := now.Add(time.Minute); now.Before(end); now = now.Add(100 * time.Millisecond) {
		if b.wait(now) == 0 {
			b.wrote(now)
			writes++
		}
	}
	if writes < 5 || writes > 10 {
		t.Errorf("a minute of reverts: got %d writes, want 5 to 10", writes)
	}
	for range 100 {
		now = now.Add(b.wait(now))
		b.wrote(now)
	}
	if got := b.wait(now); got != 30*time.Second {
		t.Errorf("after a hundred reverts: got a pause of %v, want 30s", got)
	}
	if got := b.wait(now.Add(2 * time.Minute)); got != 0 {
		t.Errorf("after a quiet time: got %v, want 0", got)
	}
}

func TestAThousandEventsLeaveNoGoroutineAndNoDescriptorBehind(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	w := h.watch()
	eventually(t, "the entry", w.chained("10-calico.conflist"))
	burst := func(n int) {
		for i := range n {
			h.put("90-other.conflist", h.corpus("10-flannel.conflist"))
			h.put("10-calico.conflist", append(bytes.Clone(h.read("10-calico.conflist")), '\n'))
			if i%50 == 0 {
				time.Sleep(50 * time.Millisecond)
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	burst(50)
	fds, routines := descriptors(t), runtime.NumGoroutine()
	burst(1000)
	if got := descriptors(t); got > fds {
		t.Errorf("descriptors: got %d, want %d as before", got, fds)
	}
	if got := runtime.NumGoroutine(); got > routines {
		t.Errorf("goroutines: got %d, want %d as before", got, routines)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	return len(open)
}
