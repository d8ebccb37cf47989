package xtables_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/test/rig"
)

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
