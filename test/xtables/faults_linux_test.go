package xtables_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/test/rig"
)

// Whatever a program does, apply ends in time, says why in
// the program's words, and leaves IPv4 as it was when IPv6 fails.
func TestBrokenProgramsLeaveTheStateBefore(t *testing.T) {
	for _, c := range []struct {
		name, program, script string
		kind                  xtables.Kind
		words                 string
	}{
		{"restore hangs", "ip6tables-nft-restore", "/bin/sleep 60", xtables.Failed, "killed"},
		{"restore hangs in a grandchild", "ip6tables-nft-restore", "(/bin/sleep 60; true) & wait", xtables.Failed, "killed"},
		{"restore fails silently", "ip6tables-nft-restore", "exit 1", xtables.Failed, "without a word"},
		{"restore dies", "ip6tables-nft-restore", "kill -9 $$", xtables.Failed, "without a word"},
		{"restore says busy", "ip6tables-nft-restore", "echo Another app is currently holding the xtables lock >&2; exit 4", xtables.Busy, "Another app"},
		{"restore lacks a target", "ip6tables-nft-restore", "echo \"Couldn't load target REDIRECT\" >&2; exit 2", xtables.Unusable, "load target"},
		{"restore is too old", "ip6tables-nft-restore", "echo \"unrecognized option '-w'\" >&2; exit 2", xtables.Unusable, "unrecognized"},
		{"restore does nothing", "ip6tables-nft-restore", "exit 0", xtables.Failed, "reads back differently"},
		{"save prints garbage", "ip6tables-nft-save", "echo hello; exit 0", xtables.Failed, "hello"},
		{"save floods", "ip6tables-nft-save", "exec /bin/cat /dev/zero", xtables.Failed, "more than 64 MiB"},
		{"save fails", "ip6tables-nft-save", "echo no >&2; exit 3", xtables.Failed, "no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			deadline := 20 * time.Second // only who hangs needs it to come soon
			if strings.Contains(c.name, "hangs") {
				deadline = 2 * time.Second
			}
			n := rig.NewNamespace(t, "x")
			apply(t, n, rig.NFT, "redirect")
			tools := rig.NewTools(t, []rig.Flavour{rig.NFT})
			tools.AddScript(c.program, c.script)
			begin := time.Now()
			n.Do(func() {
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				defer cancel()
				err := program(ctx, []string{tools.Dir}, xtables.ChooseNFT, both("tproxy"))
				if err == nil || xtables.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.words) {
					t.Errorf("got %v of kind %s, want %q of kind %s", err, xtables.KindOf(err), c.words, c.kind)
				}
			})
			if took := time.Since(begin); took > 25*time.Second {
				t.Errorf("it took %s", took)
			}
			mustStand(t, n, rig.NFT, "redirect")
		})
	}
}

func TestATableThatIptablesCannotShowIsRefusedAndLeftAlone(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	apply(t, n, rig.NFT, "redirect")
	n.MustRun("nft", "add", "rule", "ip", "nat", "OUTPUT", "meta", "cgroup", "7", "ct", "mark", "set", "meta", "mark", "return")
	before := n.State()
	n.Do(func() {
		err := program(context.Background(), nil, xtables.ChooseNFT, both("tproxy"))
		if xtables.KindOf(err) != xtables.Unusable || err == nil || !strings.Contains(err.Error(), "nft list ruleset") {
			t.Errorf("got %v of kind %s", err, xtables.KindOf(err))
		}
	})
	if diff := before.Diff(n.State()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

func TestMissingIPv6ProgramsFailBeforeAnythingIsWritten(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	tools := rig.NewTools(t, []rig.Flavour{rig.NFT})
	for _, name := range []string{"ip6tables-nft-restore", "ip6tables-restore"} {
		tools.Remove(name)
	}
	n.Do(func() {
		err := program(context.Background(), []string{tools.Dir}, xtables.Auto, both("redirect"))
		if xtables.KindOf(err) != xtables.Unusable || err == nil {
			t.Errorf("got %v, want an error of kind %s", err, xtables.Unusable)
		}
		if err := program(context.Background(), []string{tools.Dir}, xtables.Auto, both("redirect")[:1]); err != nil {
			t.Errorf("IPv4 alone: %v", err)
		}
	})
}

// again is this test program as another process.
func again(n *rig.Namespace, what string) rig.Cmd {
	return rig.Cmd{Args: []string{"/proc/self/exe"}, Env: append(os.Environ(), childWord+"="+what)}
}

func TestCapabilitiesDecideWhatWorks(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	admin, raw := uintptr(unix.CAP_NET_ADMIN), uintptr(unix.CAP_NET_RAW)
	for _, c := range []struct {
		name, backend string
		only          []uintptr
		want          string // "" is success
	}{
		{"NET_ADMIN alone", "iptables-nft", []uintptr{admin}, ""},
		{"NET_ADMIN alone, auto", "auto", []uintptr{admin}, ""},
		{"NET_ADMIN alone", "iptables-legacy", []uintptr{admin}, "missing capability"},
		{"NET_ADMIN and NET_RAW", "iptables-legacy", []uintptr{admin, raw}, ""},
		{"NET_RAW alone", "iptables-nft", []uintptr{raw}, "missing capability"},
		{"none", "auto", []uintptr{}, "missing capability"},
	} {
		t.Run(c.name+" "+c.backend, func(t *testing.T) {
			n := rig.NewNamespace(t, "x")
			cmd := again(n, "redirect "+c.backend)
			cmd.Args, cmd.Only = []string{self}, c.only
			r := n.RunCmd(cmd)
			if got := strings.SplitN(r.Stdout, "\n", 2)[0]; got != c.want {
				t.Errorf("got %q, want %q\n%s%s", got, c.want, r.Stdout, r.Stderr)
			}
		})
	}
}

func TestAUserWithAmbientCapabilitiesCanApply(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := t.TempDir() + "/program"
	if err := exec.Command("cp", self, program).Run(); err != nil {
		t.Fatal(err)
	}
	for dir := range strings.FieldsSeq(strings.Join(parents(program), " ")) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n := rig.NewNamespace(t, "x")
	cmd := again(n, "redirect auto")
	cmd.Args, cmd.As, cmd.Ambient = []string{program}, rig.User{UID: 1337, GID: 1337}, []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
	if r := n.RunCmd(cmd); r.Code != 0 {
		t.Errorf("%s%s", r.Stdout, r.Stderr)
	}
	mustStand(t, n, rig.NFT, "redirect")
}

// parents lists the directories that lead to a file of t.TempDir.
func parents(file string) []string {
	var dirs []string
	for dir := file[:strings.LastIndex(file, "/")]; dir != os.TempDir() && dir != ""; dir = dir[:strings.LastIndex(dir, "/")] {
		dirs = append(dirs, dir)
	}
	return dirs
}
