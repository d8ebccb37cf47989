//go:build linux

// The tests of this file need root: the socket's folder belongs to uid 0.
package podapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// agent answers for one pod and remembers what it was told.
type agent struct {
	mu      sync.Mutex
	pod     Pod
	reports []Report
	failed  []*Error
	block   chan struct{}
}

func (a *agent) Pod(ctx context.Context, q Request) Response {
	if a.block != nil {
		select {
		case <-a.block:
		case <-ctx.Done():
			return Response{Error: ctx.Err().Error()}
		}
	}
	if q.Name != a.pod.Name {
		return Response{}
	}
	return Response{Found: true, Pod: &a.pod}
}

func (a *agent) Report(r Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports = append(a.reports, r)
}

func (a *agent) Failed(e *Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = append(a.failed, e)
}

func (a *agent) failures() []*Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*Error(nil), a.failed...)
}

// start serves a on a fresh socket until the test ends.
func start(t *testing.T, s Server) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: the socket's folder belongs to uid 0")
	}
	path := filepath.Join(t.TempDir(), "run", "agent.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: got %v, want nil after its context ended", err)
		}
	})
	return path
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func cart() Pod { return Pod{Namespace: "shop", Name: "cart", UID: "u1"} }

func TestAPluginIsAnsweredForItsPod(t *testing.T) {
	path := start(t, Server{Handler: &agent{pod: cart()}})
	res, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u1"})
	if err != nil || !res.Found || res.Pod.UID != "u1" {
		t.Errorf("got %+v, %v; want the pod", res, err)
	}
	res, err = Ask(soon(t), path, Request{Namespace: "shop", Name: "till", UID: "u9"})
	if err != nil || res.Found {
		t.Errorf("unknown pod: got %+v, %v; want not found", res, err)
	}
	_, err = Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u2"})
	wantKind(t, err, Mistaken)
}

func TestAReportArrives(t *testing.T) {
	a := &agent{}
	path := start(t, Server{Handler: a})
	if err := Tell(soon(t), path, Report{Verb: "ADD", Outcome: "pass", Reason: "excluded", Micros: 812}); err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.reports) != 1 || a.reports[0].Micros != 812 || a.reports[0].Version != Version {
		t.Errorf("got %+v, want one report of 812 µs in version %d", a.reports, Version)
	}
}

func TestAFolderOpenToOthersIsNotTrusted(t *testing.T) {
	a := &agent{pod: cart()}
	path := start(t, Server{Handler: a})
	dir := filepath.Dir(path)
	ask := func() error {
		_, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u1"})
		return err
	}
	for _, mode := range []os.FileMode{0o755, 0o710, 0o701, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		wantKind(t, ask(), Untrusted)
	}
	os.Chmod(dir, 0o700)
	if err := os.Chown(dir, 1000, 0); err != nil {
		t.Fatal(err)
	}
	wantKind(t, ask(), Untrusted)
	os.Chown(dir, 0, 0)
	if err := ask(); err != nil {
		t.Errorf("after the folder was put right: got %v, want an answer", err)
	}
	if n := len(a.failures()); n != 0 {
		t.Errorf("the agent saw %d failures, want 0: nothing is sent before the folder is checked", n)
	}
}

func TestALinkInPlaceOfTheFolderIsNotTrusted(t *testing.T) {
	path := start(t, Server{Handler: &agent{pod: cart()}})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		t.Fatal(err)
	}
	_, err := Ask(soon(t), filepath.Join(link, "agent.sock"), Request{Namespace: "shop", Name: "cart"})
	wantKind(t, err, Untrusted)
}

func TestNobodyListeningIsSaidAtOnce(t *testing.T) {
	path := start(t, Server{Handler: &agent{}})
	_, err := Ask(soon(t), path+".gone", Request{Name: "cart"})
	wantKind(t, err, Absent)
	_, err = Ask(soon(t), "/nonexistent-folder/agent.sock", Request{Name: "cart"})
	wantKind(t, err, Absent)
}

func TestASocketLeftByAKilledAgentIsReplaced(t *testing.T) {
	path := start(t, Server{Handler: &agent{pod: cart()}})
	l, err := Listen(path) // the second agent, while the first still has the old socket open
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, err = Ask(soon(t), path, Request{Namespace: "shop", Name: "cart"})
	wantKind(t, err, Absent)
	if l, err = Listen(path); err != nil {
		t.Fatalf("Listen over a dead socket: got %v, want nil", err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket mode: got %v, %v; want 0600", info.Mode(), err)
	}
}

func TestAnAgentThatHangsCostsThePluginItsOwnDeadlineOnly(t *testing.T) {
	a := &agent{pod: cart(), block: make(chan struct{})}
	path := start(t, Server{Handler: a})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Ask(ctx, path, Request{Namespace: "shop", Name: "cart"})
	wantKind(t, err, Slow)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v, want about 50ms", took)
	}
	close(a.block)
}

func TestAPeerThatIsNotRootIsCutOff(t *testing.T) {
	a := &agent{pod: cart()}
	path := start(t, Server{Handler: a})
	// SO_PEERCRED records the effective uid at connect; only this thread changes.
	err := asUser(1000, func() error {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("connect as uid 1000: got %v, want permission denied", err)
	}
	// Even a peer who somehow got past the folder is refused by his uid.
	os.Chmod(filepath.Dir(path), 0o777)
	os.Chmod(path, 0o777)
	os.Chmod(filepath.Dir(filepath.Dir(path)), 0o777)
	os.Chmod(filepath.Dir(filepath.Dir(filepath.Dir(path))), 0o777)
	var got string
	err = asUser(1000, func() error {
		got, err = speak(path, `{"pod":{"version":1,"namespace":"shop","name":"cart"}}`+"\n")
		return err
	})
	if err == nil && strings.Contains(got, "u1") {
		t.Errorf("uid 1000 was answered: %s", got)
	}
	waitFor(t, func() bool { f := a.failures(); return len(f) > 0 && f[0].Kind == Untrusted })
}

// speak says line to the socket and returns the answer, whatever it is.
func speak(path, line string) (string, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprint(conn, line); err != nil {
		return "", err
	}
	buf := make([]byte, MaxResponse)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}

func TestGarbageIsAnsweredWithAReasonAndCounted(t *testing.T) {
	a := &agent{pod: cart()}
	path := start(t, Server{Handler: a, Timeout: 100 * time.Millisecond})
	tests := []struct {
		name, line string
		kind       Kind
	}{
		{"not JSON", "hello\n", Garbled},
		{"nothing asked", "{}\n", Garbled},
		{"a version from the future", `{"pod":{"version":99}}` + "\n", Foreign},
		{"a line without end", strings.Repeat("x", MaxRequest), Garbled},
		{"a line that never ends", "{", Slow},
	}
	for i, tt := range tests {
		got, err := speak(path, tt.line)
		if err != nil || !strings.Contains(got, `"error"`) {
			t.Errorf("%s: got %q, %v; want an error in words", tt.name, got, err)
		}
		waitFor(t, func() bool { return len(a.failures()) == i+1 })
		if f := a.failures()[i]; f.Kind != tt.kind {
			t.Errorf("%s: counted as %s, want %s", tt.name, f.Kind, tt.kind)
		}
	}
	if _, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart"}); err != nil {
		t.Errorf("afterwards: got %v, want the server as well as before", err)
	}
}

func TestAPodTooLargeForTheAnswerIsAnErrorInWords(t *testing.T) {
	big := cart()
	big.Annotations = map[string]string{"traffic.sidecar.istio.io/excludeOutboundPorts": strings.Repeat("1,", MaxResponse)}
	a := &agent{pod: big}
	path := start(t, Server{Handler: a})
	_, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u1"})
	wantKind(t, err, TooLong)
	for _, want := range []string{"over the limit of 10485760 bytes", "shorten the pod's annotations"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if f := a.failures(); len(f) != 1 || f[0].Kind != TooLong || strings.Contains(f[0].Error(), "does not speak this protocol") {
		t.Errorf("the agent counts %v, want one of the kind %s", f, TooLong)
	}
}

func TestMoreCallersThanSlotsAllGetTheirAnswer(t *testing.T) {
	path := start(t, Server{Handler: &agent{pod: cart()}, Callers: 4})
	errs := make(chan error)
	const callers = 100
	for range callers {
		go func() {
			_, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u1"})
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			t.Errorf("got %v, want an answer for every caller", err)
		}
	}
}

func TestASilentCrowdDoesNotKeepPluginsOut(t *testing.T) {
	path := start(t, Server{Handler: &agent{pod: cart()}, Callers: 4, Timeout: 50 * time.Millisecond})
	for range 20 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u1"}); err != nil {
		t.Errorf("got %v, want an answer once the silent ones are cut off", err)
	}
}

func wantKind(t *testing.T, err error, want Kind) {
	t.Helper()
	var got *Error
	if !errors.As(err, &got) || got.Kind != want {
		t.Errorf("got %v, want kind %s", err, want)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("waited 5s in vain")
}

// asUser runs f with this thread's effective uid changed; the thread ends with it.
func asUser(uid int, f func() error) error {
	errs := make(chan error)
	go func() { errs <- threadAs(uid, f) }()
	return <-errs
}

func threadAs(uid int, f func() error) error {
	lockThread()
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), 0); e != 0 {
		return e
	}
	defer syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, 0)
	return f()
}

// lockThread keeps the goroutine on its thread until it ends, and the thread
// ends with it: no other goroutine ever runs with the changed uid.
func lockThread() { runtime.LockOSThread() }

func TestANoteArrivesThoughItsSenderIsGone(t *testing.T) {
	a := &agent{}
	path := start(t, Server{Handler: a})
	for i := range 50 {
		if err := Note(t.Context(), path, Report{Verb: "ADD", Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	arrived := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.reports)
	}
	for deadline := time.Now().Add(5 * time.Second); arrived() < 50 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if got := arrived(); got != 50 {
		t.Errorf("got %d of 50 notes", got)
	}
	if failed := a.failures(); len(failed) > 0 {
		t.Errorf("a sender that does not wait counts as a failure: %v", failed)
	}
}
