package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
)

// TestMain lets the test binary be the program: a process per command, without
// building it a second time.
func TestMain(m *testing.M) {
	if os.Getenv("TESTSIDECAR") == "1" {
		main()
		return
	}
	rig.Main(m)
}

func program(t *testing.T, as rig.User, args ...string) rig.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return rig.Cmd{As: as, Args: append([]string{"/usr/bin/env", "TESTSIDECAR=1", copyFor(t, self)}, args...)}
}

// copyFor puts the test binary, which Go builds below a private directory,
// where the test's users can run it.
func copyFor(t *testing.T, self string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slt-testsidecar-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := dir + "/testsidecar"
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProcessesServeAndAskAsTheirUsers(t *testing.T) {
	r := rig.New(t)
	for _, p := range []*rig.Process{
		r.World.Start(program(t, rig.Root, "app", "service", "198.51.100.1:80")),
		r.Pod.Start(program(t, rig.Proxy, "sidecar", "-mode", "forward", "-dns", "0")),
	} {
		if !p.WaitOutput("ready", 10*time.Second) {
			t.Fatalf("not ready: %s", p.Output())
		}
	}
	r.Pod.Iptables(rig.NFT, rig.IPv4, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-m", "owner", "!", "--uid-owner", "1337", "-j", "REDIRECT", "--to-ports", "15001")
	got := r.Pod.RunCmd(program(t, rig.App, "ask", "198.51.100.1:80"))
	if want := "listener=service network=tcp orig=- local=198.51.100.1:80 peer=192.0.2.2:"; !strings.HasPrefix(got.Stdout, want) {
		t.Errorf("got %q (%v: %s), want prefix %q", got.Stdout, got.Err, got.Stderr, want)
	}
	counters := r.Pod.Iptables(rig.NFT, rig.IPv4, "-t", "nat", "-nvxL", "OUTPUT")
	if want := "       1       60 REDIRECT"; !strings.Contains(counters, want) {
		t.Errorf("counters lack %q: the connection was not intercepted once\n%s", want, counters)
	}
}

func TestBadCommandLinesAreErrors(t *testing.T) {
	for _, args := range [][]string{{}, {"other"}, {"app", "name"}, {"sidecar", "-mode", "both"}, {"ask", "-network", "tcp", "nowhere"}} {
		if err := run(args); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}
