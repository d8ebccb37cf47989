package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// netnsDir is where ip(8) keeps named namespaces.
const netnsDir = "/run/netns"

// created numbers the namespaces of this process.
var created atomic.Uint32

// Namespace is a named network namespace of one test.
type Namespace struct {
	// Name is the name under which `ip netns` lists it.
	Name string

	t testing.TB
}

// NewNamespace makes an empty namespace with lo up, and deletes it when the
// test ends. The role becomes part of the name: letters and digits.
func NewNamespace(t testing.TB, role string) *Namespace {
	t.Helper()
	needRoot(t)
	sweepOnce()
	n := &Namespace{Name: fmt.Sprintf("%s%d-%d-%s", prefix, os.Getpid(), created.Add(1), role), t: t}
	ip(t, "netns", "add", n.Name)
	t.Cleanup(n.remove)
	// Duplicate address detection keeps every new IPv6 address, the link-local
	// ones that neighbour discovery answers from too, unusable for seconds. Even
	// without it an address is tentative until a kernel worker has run, on lo
	// too, unless it is added with nodad.
	n.Sysctl("net/ipv6/conf/all/accept_dad", "0")
	n.Sysctl("net/ipv6/conf/default/accept_dad", "0")
	n.IP("link", "set", "lo", "up")
	n.settle()
	return n
}

// Path is the namespace's file, as --netns and CNI_NETNS take it.
func (n *Namespace) Path() string { return filepath.Join(netnsDir, n.Name) }

// Do calls fn in the namespace, on the calling goroutine, and returns when fn
// has. It may be nested, and fn may end the test. The test fails if the
// namespace can't be entered.
func (n *Namespace) Do(fn func()) {
	n.t.Helper()
	if err := n.enter(fn); err != nil {
		n.t.Fatal(err)
	}
}

// enter is Do for goroutines that may not end the test.
func (n *Namespace) enter(fn func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	inside, err := os.Open(n.Path())
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", n.Name, err)
	}
	defer leave(home)
	fn()
	return nil
}

// leave goes back to where the thread came from. A thread lost in a test's
// namespace would run other tests' code there, so this can only panic.
func leave(home *os.File) {
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(fmt.Sprintf("thread cannot leave the test's namespace: %v", err))
	}
}

// IP runs ip(8) with these arguments in the namespace and returns its output.
func (n *Namespace) IP(args ...string) string {
	n.t.Helper()
	return ip(n.t, append([]string{"-n", n.Name}, args...)...)
}

// batch runs one ip(8) process for many commands; empty lines are ignored.
func (n *Namespace) batch(lines []string) {
	n.t.Helper()
	cmd := exec.Command("ip", "-n", n.Name, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("ip -n %s -batch: %v: %s\n%s", n.Name, err, out, strings.Join(lines, "\n"))
	}
}

// remove ends what still runs in the namespace and deletes it.
func (n *Namespace) remove() {
	if err := removeNamespace(n.Name); err != nil {
		n.t.Errorf("remove namespace: %v", err)
	}
}

func ip(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
