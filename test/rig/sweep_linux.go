package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/leak"
)

// prefix begins the name of every namespace of this package; the number of the
// process that made it follows.
const prefix = "slt-"

var sweeping sync.Once

// Main is what TestMain calls: it says in one line if root is missing, instead
// of once per test, sweeps what killed runs left, runs the tests, and wants every
// goroutine that they started to have ended.
func Main(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, rootMissing)
		os.Exit(1)
	}
	sweepOnce()
	os.Exit(leak.Run(m))
}

const rootMissing = "these tests make network namespaces and need root (sudo make test)"

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal(rootMissing)
	}
}

func sweepOnce() {
	sweeping.Do(func() {
		if err := Sweep(); err != nil {
			fmt.Fprintln(os.Stderr, "sweep of earlier tests' namespaces:", err)
		}
	})
}

// Sweep removes the namespaces, and the processes in them, of test processes
// that are no more. Those of living test processes are left alone.
func Sweep() error {
	entries, err := os.ReadDir(netnsDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if maker, ours := makerOf(e.Name()); ours && dead(maker) {
			errs = append(errs, removeNamespace(e.Name()))
		}
	}
	return errors.Join(errs...)
}

// makerOf reads the process number out of a namespace's name.
func makerOf(name string) (pid int, ours bool) {
	rest, ours := strings.CutPrefix(name, prefix)
	if !ours {
		return 0, false
	}
	number, _, _ := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(number)
	return pid, err == nil && pid > 0
}

func dead(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// removeNamespace tolerates that another process swept the same namespace.
func removeNamespace(name string) error {
	pids, err := exec.Command("ip", "netns", "pids", name).Output()
	if err == nil {
		killAll(strings.Fields(string(pids)))
	}
	out, err := exec.Command("ip", "netns", "del", name).CombinedOutput()
	if _, gone := os.Lstat(netnsDir + "/" + name); err != nil && !errors.Is(gone, os.ErrNotExist) {
		return fmt.Errorf("ip netns del %s: %w: %s", name, err, out)
	}
	return nil
}

// killAll ends processes, but never this one: `ip netns pids` lists a process
// by its first thread, which may be the one that a test entered with.
func killAll(pids []string) {
	for _, text := range pids {
		if pid, err := strconv.Atoi(text); err == nil && pid != os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL) // gone already is fine
		}
	}
}
