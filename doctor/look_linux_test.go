package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/leak"
)

// No goroutine outlives what started it.
func TestMain(m *testing.M) { leak.Main(m) }

func TestWhetherTheRuntimeHandsOverAnnotationsIsSaid(t *testing.T) {
	const (
		bare      = `{"type":"sluice-cni"}`
		declaring = `{"type":"sluice-cni","capabilities":{"io.kubernetes.cri.pod-annotations":true}}`
		refusing  = `{"type":"sluice-cni","capabilities":{"io.kubernetes.cri.pod-annotations":false,"portMappings":true}}`
		bridge    = `{"type":"bridge","capabilities":{"io.kubernetes.cri.pod-annotations":true}}`
	)
	list := func(entries ...string) string {
		return `{"cniVersion":"1.0.0","name":"pods","plugins":[` + strings.Join(entries, ",") + `]}`
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  Severity // "": nothing is said
		says  string
	}{
		{"declared", map[string]string{"10-pods.conflist": list(bridge, declaring)}, Good, "10-pods.conflist asks"},
		{"not declared", map[string]string{"10-pods.conflist": list(bridge, bare)}, Warning, "10-pods.conflist does not ask"},
		{"declared as false", map[string]string{"10-pods.conflist": list(bridge, refusing)}, Warning, "10-pods.conflist does not ask"},
		{"the first file that names it counts", map[string]string{"05-multus.conf": `{"type":"multus"}`, "10-pods.conflist": list(declaring), "20-old.conflist": list(bare)}, Good, "10-pods"},
		{"a file that the runtime does not read", map[string]string{"10-pods.conflist.bak": list(declaring)}, "", ""},
		{"another plugin's capability", map[string]string{"10-pods.conflist": list(bridge)}, "", ""},
		{"a broken file", map[string]string{"05-broken.conflist": "{", "10-pods.json": list(declaring)}, Good, "10-pods.json"},
		{"no node", nil, "", ""},
	} {
		dir := filepath.Join(t.TempDir(), "net.d")
		for name, text := range c.files {
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		}
		var r Report
		r.plugin(dir)
		r.add("end", "", "", "", "")
		if got := r.Findings[0]; got.Severity != c.want || !strings.Contains(got.Says, c.says) || len(r.Findings) > 2 {
			t.Errorf("%s: got %s %q, want %s with %q", c.name, got.Severity, got.Says, c.want, c.says)
		}
	}
}

// A sandbox may forbid the question. Then nothing is known of the answer.
func TestCapabilitiesThatCannotBeAskedForAreNotMissing(t *testing.T) {
	done := make(chan Report)
	go func() {
		var r Report
		defer func() { done <- r }()
		runtime.LockOSThread() // never unlocked: the thread ends with its filter
		if err := refuseCapget(); err != nil {
			t.Error(err)
			return
		}
		r.capabilities()
	}()
	r := <-done
	if len(r.Findings) != 1 || r.Findings[0].Severity != Warning || !r.MayProgram {
		t.Errorf("got %+v, want one warning, and that rules may be tried", r)
	}
}

// refuseCapget makes capget(2) fail on the calling thread, for good.
func refuseCapget() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CAPGET, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
