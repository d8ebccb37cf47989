package netns

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/leak"
)

// The tests in files ending in _linux_test.go need root: they make network
// namespaces named sluice-ns-PID-N, and sweep those of dead test runs.

func sweep() {
	left, _ := filepath.Glob("/run/netns/sluice-ns-*")
	for _, path := range left {
		name := filepath.Base(path)
		pid := strings.Split(name, "-")[2]
		if _, err := os.Stat("/proc/" + pid); err != nil {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

func TestMain(m *testing.M) {
	sweep()
	leak.Main(m)
}

var made int

// fresh makes a namespace and returns its name.
func fresh(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	made++
	name := fmt.Sprintf("sluice-ns-%d-%d", os.Getpid(), made)
	run(t, "ip netns add "+name)
	t.Cleanup(func() { run(t, "ip netns del "+name) })
	return name
}

// run runs a shell command outside and returns what it printed.
func run(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// in runs a shell command in the namespace.
func in(t *testing.T, name, script string) string {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", name, "sh", "-c", script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("in %s: %s: %v\n%s", name, script, err, stderr.String())
	}
	return stdout.String()
}

func target(t *testing.T, text string) Target {
	t.Helper()
	tg, err := ParseTarget(text)
	must(t, err)
	return tg
}

func open(t *testing.T, text string) *Namespace {
	t.Helper()
	n, err := Open(target(t, text))
	must(t, err)
	t.Cleanup(func() { n.Close() })
	return n
}

func dial(t *testing.T, name string) *Conn {
	t.Helper()
	var c *Conn
	must(t, open(t, name).Do(func() (err error) {
		c, err = Dial()
		return err
	}))
	t.Cleanup(func() { c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *Conn) Plumbing {
	t.Helper()
	p, err := c.Read(context.Background())
	must(t, err)
	return p
}

func ensure(t *testing.T, c *Conn, want Plumbing) []string {
	t.Helper()
	changes, err := c.Ensure(context.Background(), want)
	must(t, err)
	return lines(changes)
}

func lines(changes []Change) []string {
	var s []string
	for _, c := range changes {
		s = append(s, c.String())
	}
	return s
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}
