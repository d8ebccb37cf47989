//go:build linux

// The tests of this file need root: they make network namespaces. The folder
// that stands for the host's /proc is the test's, the namespaces are real.
package repair

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// proc makes a /proc in which process 1 is the host's, 300 is of another group
// and 4711, of the group given, is what /proc/real is.
func proc(t *testing.T, cgroup, real string) string {
	t.Helper()
	return procOf(t, "1", cgroup, real)
}

// procOf is proc with another for the host's first process.
func procOf(t *testing.T, first, cgroup, real string) string {
	t.Helper()
	dir := t.TempDir()
	for pid, p := range map[string][2]string{"1": {"0::/init.scope", first}, "300": {"0::/other", "self"}, "4711": {cgroup, real}} {
		must(t, os.Mkdir(filepath.Join(dir, pid), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, pid, "cgroup"), []byte(p[0]+"\n"), 0o644))
		for _, sub := range []string{"ns", "net"} {
			must(t, os.Symlink(filepath.Join("/proc", p[1], sub), filepath.Join(dir, pid, sub)))
		}
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// living is a process in the rig's pod, by its number.
func living(r *rig.Rig) string {
	return strconv.Itoa(r.Pod.Start(rig.Cmd{Args: []string{"sleep", "60"}}).PID())
}

const uid = "0b5a3e9c-8f5e-4a60-9d6e-2f8b1c7d4e21"

func TestAPodsNamespaceIsFoundByItsControlGroupAndProgrammed(t *testing.T) {
	for _, group := range []string{
		"0::/kubepods/burstable/pod" + uid + "/c0ffee",
		"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-c0ffee.scope",
		"9:name=systemd:/\n8:pids:/kubepods/pod" + uid + "/c0ffee",
	} {
		r := rig.New(t)
		n := Namespaces{Proc: proc(t, group, living(r))}
		ips := []string{rig.Pod4.String(), rig.Pod6.String()}
		if err := n.Apply(t.Context(), uid, ips, builder.Default()); err != nil {
			t.Fatalf("%s: %v", group, err)
		}
		if err := n.Apply(t.Context(), uid, ips, builder.Default()); err != nil {
			t.Errorf("%s: a second time: %v", group, err)
		}
		if rules := r.Pod.MustRun("nft", "list", "ruleset"); !strings.Contains(rules, "ISTIO_OUTPUT") && !strings.Contains(rules, "sluice") {
			t.Errorf("%s: no rules in the namespace:\n%s", group, rules)
		}
	}
}

func TestANamespaceThatIsNotThePodsIsRefusedAndStaysAsItWas(t *testing.T) {
	r := rig.New(t)
	group := "0::/kubepods/pod" + uid + "/c0ffee"
	pods := proc(t, group, living(r))
	hosts := proc(t, group, "self")
	pid := living(r)
	nodes := procOf(t, pid, group, pid) // the node is a container itself
	var address *AddressError
	var host *netns.HostError
	for _, tt := range []struct {
		name, proc, uid string
		ips             []string
		want            any
	}{
		{"another pod's address", pods, uid, []string{rig.Pod4.String(), "198.51.100.9"}, &address},
		{"one family's address missing", pods, uid, []string{rig.Pod4.String(), "2001:db8::99"}, &address},
		{"garbage for an address", pods, uid, []string{"x"}, &address},
		{"the first process's namespace", nodes, uid, []string{rig.Pod4.String()}, &host},
		{"the host's namespace", hosts, uid, []string{"127.0.0.1"}, &host},
	} {
		err := Namespaces{Proc: tt.proc}.Apply(t.Context(), tt.uid, tt.ips, builder.Default())
		if err == nil || !errors.As(err, tt.want) {
			t.Errorf("%s: got %v, want %T", tt.name, err, tt.want)
		}
	}
	for name, tt := range map[string]struct {
		uid string
		ips []string
	}{"no process": {"another-uid", []string{rig.Pod4.String()}}, "no address": {uid, nil}, "no uid": {"", []string{rig.Pod4.String()}}} {
		if err := (Namespaces{Proc: pods}).Apply(context.Background(), tt.uid, tt.ips, builder.Default()); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
	if rules := r.Pod.MustRun("nft", "list", "ruleset"); strings.Contains(rules, "ISTIO") || strings.Contains(rules, "sluice") {
		t.Errorf("rules were written all the same:\n%s", rules)
	}
}
