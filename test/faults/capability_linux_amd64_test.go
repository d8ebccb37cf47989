package faults

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/rig"
)

// What docs/security.md says that each command needs is all that it is given
// here: as root with exactly this bounding set, and as another user with these
// as ambient capabilities.
func TestTheStatedCapabilitiesAreEnoughAndWithoutThemTheExitCodeSaysSo(t *testing.T) {
	sluice := buildSluice(t)
	admin, raw := uintptr(unix.CAP_NET_ADMIN), uintptr(unix.CAP_NET_RAW)
	for _, c := range []struct {
		backend string
		caps    []uintptr
		want    int
	}{
		{"iptables-nft", []uintptr{admin}, 0},
		{"nftables", []uintptr{admin}, 0},
		{"iptables-legacy", []uintptr{admin, raw}, 0},
		{"iptables-legacy", []uintptr{admin}, 77},
		{"iptables-nft", []uintptr{raw}, 77},
		{"nftables", []uintptr{raw}, 77},
		{"iptables-nft", []uintptr{}, 77},
		{"nftables", []uintptr{}, 77},
	} {
		for _, as := range []rig.User{rig.Root, rig.App} {
			s := newScene(t, sluice)
			cmd := rig.Cmd{Args: append([]string{sluice}, apply("tproxy", c.backend)...), As: as, Only: c.caps}
			if as != rig.Root {
				cmd.Ambient = c.caps
			}
			want := c.want
			if as != rig.Root && c.backend == "iptables-legacy" {
				want = 77 // /proc/net/ip_tables_names is for uid 0 only, whatever the capabilities
			}
			r := s.Pod.RunCmd(cmd)
			if r.Code != want {
				t.Errorf("%s with capabilities %v as uid %d: exit code %d, want %d\n%s%s", c.backend, c.caps, as.UID, r.Code, want, r.Stdout, r.Stderr)
				continue
			}
			if want == 0 {
				s.must(check("tproxy", c.backend)...)
			}
		}
	}
}

// The answers of a pure command need nothing at all.
func TestADryRunNeedsNoCapability(t *testing.T) {
	s := newScene(t, buildSluice(t))
	r := s.Pod.RunCmd(rig.Cmd{Args: append([]string{s.sluice}, append(apply("old", "auto"), "--dry-run")...), As: rig.App, Only: []uintptr{}})
	if r.Code != 0 || r.Stdout == "" {
		t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
}

// Neither a library path, nor a preload, nor a PATH of whoever set the
// environment reaches the programs that run with our rights.
func TestTheEnvironmentDoesNotReachThePrograms(t *testing.T) {
	s := newScene(t, buildSluice(t))
	tools := rig.NewTools(t, []rig.Flavour{rig.NFT})
	seen := tools.Dir + "/../env"
	tools.AddScript("iptables-nft-save", "/usr/bin/env >>"+seen+"; exec /usr/sbin/iptables-nft-save \"$@\"")
	r := s.Pod.RunCmd(rig.Cmd{
		Args: append([]string{s.sluice}, append(apply("old", "iptables-nft"), "--program-path", tools.Dir)...),
		Env:  []string{"PATH=/tmp/evil", "LD_PRELOAD=/tmp/evil.so", "LD_LIBRARY_PATH=/tmp/evil", "XTABLES_LIBDIR=/tmp/evil", "IPTABLES_LIB_DIR=/tmp/evil", "SECRET=1", "GODEBUG=x=1"},
	})
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	got := s.Pod.MustRun("cat", seen)
	for _, line := range []string{"evil", "SECRET", "GODEBUG"} {
		if strings.Contains(got, line) {
			t.Errorf("a program saw %s in\n%s", line, got)
		}
	}
	if !strings.Contains(got, "XTABLES_LOCKFILE") {
		t.Errorf("the program that was to be watched did not run: %q", got)
	}
}
