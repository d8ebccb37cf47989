package xtables_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestFreshDualStackApplyRunsFewProgramsAndTheSecondFewer(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		tools := rig.NewTools(t, []rig.Flavour{flavour}) // scripts, so that their version must be asked for
		count := func() int {
			n.Do(func() {
				if err := program(context.Background(), []string{tools.Dir}, xtables.Auto, both("dns")); err != nil {
					t.Fatal(err)
				}
			})
			calls := tools.Calls()
			t.Log(strings.Join(calls, "\n"))
			return len(calls)
		}
		first, second := count(), count()
		if first > 6 {
			t.Errorf("the first apply ran %d programs, want at most 6", first)
		}
		if second >= first {
			t.Errorf("the second apply ran %d programs, the first %d", second, first)
		}
		mustStand(t, n, flavour, "dns")
	})
}

func TestOneFlavourOfTheHostIsFoundAndUsed(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		tools := rig.NewTools(t, []rig.Flavour{flavour})
		for _, choice := range []xtables.Choice{xtables.Auto, xtables.Plain, choiceOf(flavour)} {
			n.Do(func() {
				if err := program(context.Background(), []string{tools.Dir}, choice, both("redirect")); err != nil {
					t.Errorf("%s: %v", choice, err)
				}
			})
		}
		mustStand(t, n, flavour, "redirect")
		other := choiceOf(rig.Legacy)
		if flavour == rig.Legacy {
			other = choiceOf(rig.NFT)
		}
		n.Do(func() {
			err := program(context.Background(), []string{tools.Dir}, other, both("redirect"))
			if xtables.KindOf(err) != xtables.Unusable || err == nil {
				t.Errorf("%s without its programs: %v", other, err)
			}
		})
	})
}

func TestAutoStaysWhereOursStandWhateverTheHostPrefers(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		apply(t, n, flavour, "redirect")
		for _, order := range [][]rig.Flavour{{rig.NFT, rig.Legacy}, {rig.Legacy, rig.NFT}} {
			tools := rig.NewTools(t, order)
			n.Do(func() {
				if err := program(context.Background(), []string{tools.Dir}, xtables.Auto, both("tproxy")); err != nil {
					t.Fatal(err)
				}
			})
			mustStand(t, n, flavour, "tproxy")
		}
		before := n.State()
		backend(t, n, flavour)
		if diff := before.Diff(n.State()); diff != "" {
			t.Errorf("detection left\n%s", diff)
		}
	})
}

func TestDetectionLeavesNoTrace(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	before := n.State()
	for _, choice := range []xtables.Choice{xtables.Auto, xtables.Plain, xtables.ChooseNFT, xtables.ChooseLegacy} {
		n.Do(func() {
			b, _, err := xtables.Detect(xtables.Look(context.Background(), nil), choice)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := xtables.Check(context.Background(), b, both("redirect")); err != nil {
				t.Error(err)
			}
		})
	}
	if diff := before.Diff(n.State()); diff != "" {
		t.Errorf("traces:\n%s", diff)
	}
}

// TestBrokenPrograms: whatever a program does, apply ends in time, says why in
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
			n := rig.NewNamespace(t, "x")
			apply(t, n, rig.NFT, "redirect")
			tools := rig.NewTools(t, []rig.Flavour{rig.NFT})
			tools.AddScript(c.program, c.script)
			begin := time.Now()
			n.Do(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
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

func TestALockThatIsHeldTooLongIsBusy(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	n.Do(func() {
		release, err := xtables.Lock(context.Background(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = xtables.Lock(context.Background(), 100*time.Millisecond)
		if xtables.KindOf(err) != xtables.Busy || err == nil {
			t.Errorf("got %v, want an error of kind %s", err, xtables.Busy)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("waited %s", took)
		}
		release()
		if release, err = xtables.Lock(context.Background(), time.Second); err != nil {
			t.Fatalf("after release: %v", err)
		}
		release()
	})
	other := rig.NewNamespace(t, "y")
	n.Do(func() {
		release, err := xtables.Lock(context.Background(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		other.Do(func() {
			release, err := xtables.Lock(context.Background(), 0)
			if err != nil {
				t.Fatalf("another namespace waits for ours: %v", err)
			}
			release()
		})
	})
}

func TestLegacyToolsOfOthersShareTheNamespacesLock(t *testing.T) {
	n := rig.NewNamespace(t, "x")
	n.Do(func() {
		release, err := xtables.Lock(context.Background(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		r := n.RunCmd(rig.Cmd{
			Args: []string{"iptables-legacy-restore", "-w", "1", "--noflush"}, Stdin: "*nat\nCOMMIT\n",
			Env: append(os.Environ(), rig.LockEnv),
		})
		if r.Code != 4 {
			t.Errorf("exit code %d, want 4: %s", r.Code, r.Stderr)
		}
	})
}

func TestAHeldHostLockDelaysNobody(t *testing.T) {
	held, err := os.OpenFile("/run/xtables.lock", os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		begin := time.Now()
		apply(t, n, flavour, "redirect")
		if took := time.Since(begin); took > 4*time.Second { // -w 5 would have waited five
			t.Errorf("it took %s", took)
		}
	})
}

func TestTwoAtOnceBothSucceed(t *testing.T) {
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		var wait sync.WaitGroup
		for i := range 6 {
			wait.Go(func() {
				n.Do(func() {
					rules := []string{"redirect", "tproxy"}[i%2]
					if err := program(context.Background(), nil, choiceOf(flavour), both(rules)); err != nil {
						t.Errorf("%s: %v", rules, err)
					}
				})
			})
		}
		wait.Wait()
		apply(t, n, flavour, "redirect")
		mustStand(t, n, flavour, "redirect")
	})
}

func TestKilledAtARandomMomentEachTableIsOldOrNewAndTheNextRunRepairs(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 3))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	eachFlavour(t, func(t *testing.T, n *rig.Namespace, flavour rig.Flavour) {
		old, new := "redirect", "tproxy"
		apply(t, n, flavour, old)
		states := map[string]int{}
		defer func() { t.Logf("killed when the tables were, %d of them: %v", 2*len(iptables.Tables()), states) }()
		for range 25 {
			cmd := again(n, new+" iptables-"+string(flavour))
			cmd.Args = []string{self}
			p := n.Start(cmd)
			time.Sleep(time.Duration(r.IntN(22_000)) * time.Microsecond)
			if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			<-p.Ended()
			b := backend(t, n, flavour)
			changed := 0
			for _, f := range iptables.Families() {
				n.Do(func() {
					have, err := b.Read(context.Background(), f)
					if err != nil {
						t.Fatal(err)
					}
					for _, table := range iptables.Tables() {
						if differs(have, build(old, f), table) && differs(have, build(new, f), table) {
							t.Errorf("%s %s is neither old nor new", f, table)
						}
						if differs(have, build(old, f), table) {
							changed++
						}
					}
				})
			}
			states[map[int]string{0: "old", 4: "new"}[changed]]++
			apply(t, n, flavour, new)
			mustStand(t, n, flavour, new)
			old, new = new, old
		}
	})
}

func differs(have, want iptables.Ruleset, table iptables.Table) bool {
	return len(iptables.Compare(only(have, table), only(want, table))) > 0
}

func only(rs iptables.Ruleset, table iptables.Table) iptables.Ruleset {
	out := iptables.Ruleset{Family: rs.Family}
	for _, c := range rs.Chains {
		if c.Table == table {
			out.Chains = append(out.Chains, c)
		}
	}
	return out
}
