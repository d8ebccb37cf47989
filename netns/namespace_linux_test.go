package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// thread identifies the network namespace of the calling thread.
func thread() (ID, error) { return pathID("/proc/thread-self/ns/net") }

func current(t *testing.T) ID {
	t.Helper()
	id, err := thread()
	must(t, err)
	return id
}

// fileID is the identity by another way: stat(1).
func fileID(t *testing.T, path string) string {
	return strings.TrimSpace(run(t, "stat -L -c %i "+path))
}

func TestNamePathAndProcessOpenTheSameNamespace(t *testing.T) {
	name := fresh(t)
	sleeper := exec.Command("ip", "netns", "exec", name, "sleep", "60")
	must(t, sleeper.Start())
	defer func() { sleeper.Process.Kill(); sleeper.Wait() }()
	want := "inode " + fileID(t, "/run/netns/"+name)
	waitInside(t, sleeper.Process.Pid, want)
	for _, text := range []string{name, "/run/netns/" + name, fmt.Sprint(sleeper.Process.Pid), fmt.Sprintf("/proc/%d/ns/net", sleeper.Process.Pid)} {
		same(t, text, open(t, text).ID(), want)
	}
}

// waitInside waits until `ip netns exec` has moved.
func waitInside(t *testing.T, pid int, want string) {
	t.Helper()
	for range 200 {
		if id, err := pathID(fmt.Sprintf("/proc/%d/ns/net", pid)); err == nil && id.String() == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d never entered %s", pid, want)
}

func TestWhatIsNoNetworkNamespaceIsRefused(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	must(t, unix.Mkfifo(dir+"/pipe", 0o600))
	for text, want := range map[string]string{
		dir + "/file":         "this file is no namespace",
		dir + "/pipe":         "this file is no namespace",
		dir:                   "this file is no namespace",
		"/proc/self/ns/uts":   "this is a namespace of another kind (0x4000000)",
		"sluice-ns-none":      "no such file or directory",
		dir + "/none":         "no such file or directory",
		fmt.Sprint(1<<22 + 1): "no such file or directory",
	} {
		_, err := Open(target(t, text))
		var typed *Error
		if !errors.As(err, &typed) || typed.Err.Error() != want || typed.Target != text {
			t.Errorf("Open(%s): got %v, want an *Error saying %q", text, err, want)
		}
	}
}

func TestDoRunsInsideAndReturnsTheError(t *testing.T) {
	n := open(t, fresh(t))
	before := current(t)
	boom := errors.New("boom")
	var inside ID
	err := n.Do(func() error { inside = current(t); return boom })
	same(t, "error", err, boom)
	same(t, "inside", inside, n.ID())
	same(t, "outside again", current(t), before)
}

func TestDoInTheCurrentNamespaceEntersNothing(t *testing.T) {
	n := open(t, "")
	must(t, n.Do(func() error { same(t, "namespace", current(t), n.ID()); return nil }))
	out := run(t, fmt.Sprintf("SLUICE_NS_CHILD=current setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all %s -test.run='^TestChild$' 2>&1", publicCopy(t)))
	if !strings.Contains(out, "child: <nil>") {
		t.Errorf("without capabilities: got %s, want child: <nil>", out)
	}
}

// publicCopy is this test program where any user may run it.
func publicCopy(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sluice-ns-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	self, err := os.Executable()
	must(t, err)
	run(t, fmt.Sprintf("cp %s %s/t && chmod 755 %s/t", self, dir, dir))
	return dir + "/t"
}

// TestChild is what other tests start as a process of its own.
func TestChild(t *testing.T) {
	switch what := os.Getenv("SLUICE_NS_CHILD"); what {
	case "":
	case "current":
		fmt.Println("child:", enter(Target{}))
	default:
		fmt.Println("child:", enter(target(t, what)))
	}
}

func enter(target Target) error {
	n, err := Open(target)
	if err != nil {
		return err
	}
	defer n.Close()
	return n.Do(func() error { return nil })
}

func TestEnteringWithoutCapabilitySaysWhatIsMissing(t *testing.T) {
	name := fresh(t)
	out := run(t, fmt.Sprintf("SLUICE_NS_CHILD=%s setpriv --inh-caps=-sys_admin --bounding-set=-sys_admin %s -test.run='^TestChild$' 2>&1", name, publicCopy(t)))
	if !strings.Contains(out, "operation not permitted (entering takes CAP_SYS_ADMIN") {
		t.Errorf("got %s, want the missing capability", out)
	}
}

func TestChildProcessIsInsideNewGoroutineIsOutside(t *testing.T) {
	n := open(t, fresh(t))
	var child, routine string
	must(t, n.Do(func() error {
		out, err := exec.Command("stat", "-L", "-c", "inode %i", "/proc/self/ns/net").Output()
		child = strings.TrimSpace(string(out))
		done := make(chan string)
		go func() { id, _ := thread(); done <- id.String() }()
		routine = <-done
		return err
	}))
	same(t, "child process", child, n.ID())
	same(t, "new goroutine", routine, current(t))
}

func TestProcSelfShowsTheOutsideAndThreadSelfTheInside(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link add onlyhere type bridge")
	must(t, open(t, name).Do(func() error {
		self, _ := os.ReadFile("/proc/self/net/dev")
		thread, _ := os.ReadFile("/proc/thread-self/net/dev")
		same(t, "/proc/self sees the bridge", strings.Contains(string(self), "onlyhere"), false)
		same(t, "/proc/thread-self sees the bridge", strings.Contains(string(thread), "onlyhere"), true)
		return nil
	}))
}

func TestSocketStaysInTheNamespaceItWasOpenedIn(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up")
	n := open(t, name)
	var l net.Listener
	must(t, n.Do(func() (err error) { l, err = net.Listen("tcp", "127.0.0.1:0"); return err }))
	defer l.Close()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("a connection from outside arrived")
	}
	must(t, n.Do(func() error {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}))
}

func TestEndedGoroutineIsAnErrorAndLosesNoThread(t *testing.T) {
	n := open(t, fresh(t))
	for range 20 {
		if err := n.Do(func() error { runtime.Goexit(); return nil }); err == nil {
			t.Fatal("got no error")
		}
	}
	strayThreads(t)
}

func TestNoThreadIsLeftInsideUnderLoad(t *testing.T) {
	a, b := open(t, fresh(t)), open(t, fresh(t))
	var wg sync.WaitGroup
	for i := range 400 {
		n := []*Namespace{a, b}[i%2]
		wg.Go(func() {
			err := n.Do(func() error {
				runtime.Gosched()
				if id, _ := thread(); id != n.ID() {
					return fmt.Errorf("inside %s, want %s", id, n.ID())
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if id, _ := thread(); id == a.ID() || id == b.ID() {
				t.Errorf("after Do on a thread inside %s", id)
			}
		})
	}
	wg.Wait()
	strayThreads(t)
}

// strayThreads fails if a thread of this process is still elsewhere.
func strayThreads(t *testing.T) {
	t.Helper()
	home, err := Own()
	must(t, err)
	var left []string
	for range 100 {
		left = nil
		tasks, _ := filepath.Glob("/proc/self/task/*/ns/net")
		for _, task := range tasks {
			if id, err := pathID(task); err == nil && id != home {
				left = append(left, task)
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("threads left in another namespace: %v", left)
}

func TestFirstThreadIsNeverMoved(t *testing.T) {
	n := open(t, fresh(t))
	home := fileID(t, "/proc/self/ns/net")
	for range 200 {
		must(t, n.Do(func() error {
			if unix.Gettid() == unix.Getpid() {
				t.Error("fn ran on the first thread")
			}
			own, err := Own()
			same(t, "the process's own namespace", own, "inode "+home)
			return err
		}))
	}
}

func TestHeldNamespaceIsEnteredThoughThePathIsMountedOver(t *testing.T) {
	first, second := fresh(t), fresh(t)
	n := open(t, first)
	want := n.ID()
	run(t, fmt.Sprintf("mount --bind /run/netns/%s /run/netns/%s", second, first))
	t.Cleanup(func() { run(t, "umount /run/netns/"+first) })
	must(t, n.Do(func() error { same(t, "entered", current(t), want); return nil }))
	same(t, "opened again", open(t, first).ID(), open(t, second).ID())
}

func TestOwnAndHostNamespaceAreRefused(t *testing.T) {
	other := open(t, fresh(t))
	must(t, other.RefuseOwn())
	must(t, other.RefuseHost())
	for _, text := range []string{"", fmt.Sprint(os.Getpid()), "/proc/self/ns/net"} {
		n := open(t, text)
		for whose, err := range map[string]error{"this process": n.RefuseOwn(), "process 1": n.RefuseHost()} {
			var host *HostError
			if !errors.As(err, &host) || host.Whose != whose || host.ID != n.ID() {
				t.Errorf("%s: got %v, want a *HostError for %s", text, err, whose)
			}
		}
	}
}

func TestOwnIsTheNamespaceOfTheProcessAlsoInsideDo(t *testing.T) {
	n := open(t, fresh(t))
	must(t, n.Do(func() error {
		if err := n.RefuseOwn(); err != nil {
			t.Errorf("got %v, want the entered namespace accepted", err)
		}
		return nil
	}))
}

func TestHostIsRecognisedWithoutSeeingItsIdentity(t *testing.T) {
	err := open(t, "").refuseListing("/proc/1/net/dev")
	var host *HostError
	if !errors.As(err, &host) || host.Whose != "process 1" {
		t.Errorf("got %v, want a *HostError for process 1", err)
	}
	must(t, open(t, fresh(t)).refuseListing("/proc/1/net/dev"))
	if err := open(t, "").refuseListing("/proc/0/net/dev"); err == nil || errors.As(err, &host) {
		t.Errorf("without process 1: got %v, want an error", err)
	}
}
