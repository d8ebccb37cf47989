package validation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

// These tests run the program itself, as istio-validation runs it: the proxy's
// uid and gid, no capability, none within reach.

func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice")
	cmd := exec.Command("go", "build", "-o", path, "github.com/sluicemesh/sluice/cmd/sluice")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	for dir := filepath.Dir(path); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// classicFlags are the mesh's own command line.
func classicFlags(mode string) []string {
	return []string{"-p", "15001", "-z", "15006", "-u", "1337", "-m", mode, "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info"}
}

func asContainer(r *rig.Rig, binary string, flags ...string) rig.Result {
	return r.Pod.RunCmd(rig.Cmd{Args: append([]string{binary, "istio-iptables", "--run-validation", "--skip-rule-apply"}, flags...), As: rig.Proxy, Only: []uintptr{}})
}

func TestTheUnprivilegedContainerCatchesEveryMutantOnThePathsItReaches(t *testing.T) {
	binary := program(t)
	for _, mode := range []string{"REDIRECT", "TPROXY"} {
		t.Run(mode, func(t *testing.T) {
			c := parse(t, classic(mode)...)
			r := pod(t, c)
			load(r, rig.Legacy, built(c)...)
			if got := asContainer(r, binary, classicFlags(mode)...); got.Code != 0 {
				t.Fatalf("want correct rules to pass, got %d\n%s%s", got.Code, got.Stdout, got.Stderr)
			}
			left := watch(t, r)
			caught := 0
			for _, m := range mutants(builder.Build(c, iptables.V4)) {
				if !reached(m.rules, builder.Build(c, iptables.V4)) {
					continue
				}
				caught++
				replace(t, r, rig.Legacy, m.rules)
				got := asContainer(r, binary, append(classicFlags(mode), "--probe-timeout", "50ms")...)
				if got.Code != 126 || !strings.Contains(got.Stdout, "does NOT work") {
					t.Errorf("%s\n\twant exit code 126, got %d\n%s%s", m.name, got.Code, got.Stdout, got.Stderr)
				}
			}
			if mode == "REDIRECT" && caught < 5 {
				t.Errorf("want several mutants within reach, got %d", caught)
			}
			if got := left(); len(got) > 0 {
				t.Errorf("want no packet to leave the pod, got %q", got)
			}
			t.Logf("%s: %d mutants within reach, all caught", mode, caught)
		})
	}
}

// reached says whether a mutant treats a call of the proxy within the pod
// otherwise than the right rules do: what a process without capabilities can do.
func reached(wrong, right iptables.Ruleset) bool {
	addrs := sample(iptables.V4, nil)
	for _, p := range addrs {
		local := p.Dst.IsLoopback() || p.Dst == rig.Pod4
		from := p.Src == rig.Pod4 || p.Src == builder.Passthrough(iptables.V4) || p.Src.IsLoopback()
		if p.Out != "lo" || !local || !from || p.Mark != 0 || p.ConnMark != 0 || p.Protocol != iptables.ProtoTCP {
			continue
		}
		p.Owner, p.State = &iptables.Owner{UID: 1337, GID: 1337}, iptables.StateNew
		x, y := wrong.Trace(p, iptables.Leaving, nil), right.Trace(p, iptables.Leaving, nil)
		if x.Fate != y.Fate || x.Port != y.Port {
			return true
		}
	}
	return false
}

func TestAFailureIsWrittenToTheTerminationLog(t *testing.T) {
	binary := program(t)
	r := pod(t, parse(t, classic("REDIRECT")...))
	path := filepath.Join(filepath.Dir(binary), "termination-log")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	got := asContainer(r, binary, append(classicFlags("REDIRECT"), "--probe-timeout", "50ms", "--termination-log", path)...)
	message, err := os.ReadFile(path)
	if err != nil || got.Code != 126 || !strings.Contains(string(message), "Next: run 'sluice check'") || len(message) > 1100 {
		t.Errorf("want exit code 126 and a short message with the next step, got %d, %v: %s", got.Code, err, message)
	}
}

func TestApplyAndValidateInOneRunAsRoot(t *testing.T) {
	binary := program(t)
	for _, backend := range []string{"iptables-nft", "iptables-legacy", "nftables"} {
		for _, mode := range []string{"REDIRECT", "TPROXY"} {
			t.Run(backend+" "+mode, func(t *testing.T) {
				r := rig.New(t)
				settle(t, r)
				left := watch(t, r)
				got := r.Pod.RunCmd(rig.Cmd{Args: append([]string{binary, "istio-iptables", "--run-validation", "--backend", backend}, classicFlags(mode)...)})
				if got.Code != 0 || !strings.Contains(got.Stdout, "interception works") {
					t.Errorf("want it to pass, got %d\n%s%s", got.Code, got.Stdout, got.Stderr)
				}
				if counted := strings.Contains(got.Stdout, "counted  IPv4 nat -A ISTIO_IN_REDIRECT"); mode == "REDIRECT" && backend != "nftables" && !counted {
					t.Errorf("want the counters that moved, got\n%s", got.Stdout)
				}
				if got := left(); len(got) > 0 {
					t.Errorf("want no packet to leave the pod, got %q", got)
				}
			})
		}
	}
}
