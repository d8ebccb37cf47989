//go:build linux

// The tests of this file need root: they give files away.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// shippedCapabilities are those that a manifest adds to none.
func shippedCapabilities(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/manifests/sluice.yaml")
	must(t, err)
	add := regexp.MustCompile(`drop: \[ALL\]\n\s+add: \[([A-Z_, ]*)\]`).FindSubmatch(raw)
	if add == nil {
		t.Fatal("deploy/manifests/sluice.yaml adds no capabilities where they were expected")
	}
	return strings.Split(string(add[1]), ", ")
}

// callWith is call with these capabilities and no others, as in the DaemonSet.
func callWith(t *testing.T, capabilities []string, args ...string) (code int, out string) {
	t.Helper()
	bounding := "-all"
	for _, c := range capabilities {
		bounding += ",+" + strings.ToLower(c)
	}
	cmd := exec.Command("setpriv", append([]string{"--bounding-set=" + bounding, "--inh-caps=-all", "--no-new-privs", os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	raw, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(raw)
}

// foreign is a host whose folders, file or both are another's than root's.
type foreign struct {
	name     string
	folder   int // its uid and gid
	uid, gid int // of the file
	mode     os.FileMode
	without  string // a capability without which it cannot be done; empty tries none
}

func foreigners() []foreign {
	return []foreign{
		{"folders of another user", 998, 0, 0, 0o644, "DAC_OVERRIDE"},
		{"a file of another user", 0, 998, 998, 0o644, "CHOWN"},
		{"a file of another group", 0, 0, 998, 0o640, "CHOWN"},
		{"a file that only its owner reads", 0, 998, 998, 0o600, "DAC_OVERRIDE"},
		{"all of it", 998, 998, 998, 0o600, ""},
	}
}

func (f foreign) make(t *testing.T) (file string, flags []string) {
	t.Helper()
	root, flags := node(t)
	file = filepath.Join(root, "etc/cni/net.d/10-calico.conflist")
	must(t, os.Chmod(file, f.mode))
	must(t, os.Chown(file, f.uid, f.gid))
	for _, d := range []string{"etc/cni/net.d", "opt/cni/bin"} {
		must(t, os.Chown(filepath.Join(root, d), f.folder, f.folder))
	}
	return file, flags
}

func owner(t *testing.T, file string) string {
	t.Helper()
	info, err := os.Stat(file)
	must(t, err)
	stat := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %v", stat.Uid, stat.Gid, info.Mode())
}

func TestTheShippedCapabilitiesAreEnoughWhereTheFilesAreNotRoots(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: it gives files away")
	}
	shipped := shippedCapabilities(t)
	for _, f := range foreigners() {
		t.Run(f.name, func(t *testing.T) {
			file, flags := f.make(t)
			before, err := os.ReadFile(file)
			must(t, err)
			was := owner(t, file)
			for _, step := range [][]string{{"install", "--once"}, {"status"}, {"uninstall", "--grace", "0s"}} {
				if code, out := callWith(t, shipped, append(step, flags...)...); code != 0 {
					t.Errorf("%v with %v: got exit %d, want 0\n%s", step, shipped, code, out)
				}
				if got := owner(t, file); got != was {
					t.Errorf("after %v: got %s, want %s", step, got, was)
				}
			}
			if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, before) {
				t.Errorf("got %s, %v; want the primary's file as it was", after, err)
			}
		})
	}
}

func TestWithoutACapabilityThatItNeedsItNamesThatOne(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: it gives files away")
	}
	for _, f := range foreigners() {
		if f.without == "" {
			continue
		}
		_, flags := f.make(t)
		var fewer []string
		for _, c := range shippedCapabilities(t) {
			if c != f.without {
				fewer = append(fewer, c)
			}
		}
		code, out := callWith(t, fewer, append([]string{"install", "--once", "--conf-dir", "/etc/cni/net.d", "--bin-dir", "/opt/cni/bin"}, flags...)...)
		if _, table := callWith(t, fewer, append([]string{"status"}, flags...)...); f.folder != 0 && !strings.Contains(table, "forbidden") {
			t.Errorf("%s, with %v: got no folder called forbidden\n%s", f.name, fewer, table)
		}
		if code != 1 || !strings.Contains(out, "the capability "+f.without) || strings.Contains(out, "or name another") {
			t.Errorf("%s, with %v: got exit %d, want 1 and the capability %s\n%s", f.name, fewer, code, f.without, out)
		}
	}
}
