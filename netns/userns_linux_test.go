package netns

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// userPod starts a process in a user namespace that maps 0-65535 to 100000,
// with a network namespace that it owns, as a pod with hostUsers: false has.
func userPod(t *testing.T) (pid string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test makes user namespaces: run it as root")
	}
	host := run(t, "readlink /proc/self/ns/net")
	cmd := exec.Command("unshare", "-U", "-n", "sleep", "60")
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	pid = strconv.Itoa(cmd.Process.Pid)
	for range 200 {
		if s, err := os.Readlink("/proc/" + pid + "/ns/net"); err == nil && s+"\n" != host {
			run(t, fmt.Sprintf("echo 0 100000 65536 >/proc/%s/uid_map; echo 0 100000 65536 >/proc/%s/gid_map", pid, pid))
			run(t, fmt.Sprintf("nsenter --net=/proc/%s/ns/net ip link set lo up", pid))
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("unshare made no namespace")
	return ""
}

// load runs a command inside the namespace as a backend does.
func load(n *Namespace, argv ...string) (out string, err error) {
	err = n.Do(func() error {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "XTABLES_LOCKFILE=/proc/self/ns/net")
		var buf bytes.Buffer
		cmd.Stdout, cmd.Stderr = &buf, &buf
		err := cmd.Run()
		out = buf.String()
		return err
	})
	return out, err
}

func TestOwnerOfANamespaceIsFound(t *testing.T) {
	plain := open(t, fresh(t))
	_, ours, err := plain.Owner()
	must(t, err)
	same(t, "a plain namespace is ours", ours, true)
	entry, err := plain.UserEntry()
	must(t, err)
	same(t, "prefix of a plain namespace", entry.Prefix(), []string(nil))

	pid := userPod(t)
	id, ours, err := open(t, pid).Owner()
	must(t, err)
	same(t, "a pod's is ours", ours, false)
	same(t, "owner", id, "inode "+fileID(t, "/proc/"+pid+"/ns/user"))
}

// The kernel fact behind UserEntry: xt_owner refuses a loader outside the
// owning user namespace, and reads the number there.
func TestIptablesOwnerMatchLoadsOnlyThroughTheUserEntry(t *testing.T) {
	for _, tool := range []string{"iptables-nft", "iptables-legacy"} {
		t.Run(tool, func(t *testing.T) {
			pid := userPod(t)
			n := open(t, pid)
			rule := []string{tool, "-t", "filter", "-A", "OUTPUT", "-p", "udp", "-m", "owner", "--uid-owner", "1337", "-j", "ACCEPT"}
			if out, err := load(n, rule...); err == nil || !strings.Contains(out, "Invalid argument") {
				t.Fatalf("from outside: got %v %q, want Invalid argument", err, out)
			}
			entry, err := n.UserEntry()
			must(t, err)
			defer entry.Close()
			same(t, "entry needed", len(entry.Prefix()) > 0, true)
			if out, err := load(n, append(entry.Prefix(), rule...)...); err != nil {
				t.Fatalf("through the entry: %v %s", err, out)
			}
			send(t, pid)
			out, err := load(n, tool, "-t", "filter", "-vnxL", "OUTPUT")
			must(t, err)
			same(t, "packets of uid 1337 of the pod", packets(out), "1")
		})
	}
}

// And the fact that spares nf_tables the way in.
func TestNftOwnerMatchLoadsFromOutsideAndReadsThePodsUID(t *testing.T) {
	pid := userPod(t)
	n := open(t, pid)
	out, err := load(n, "nft", `add table inet t
		add chain inet t o { type filter hook output priority 0; }
		add rule inet t o meta l4proto udp meta skuid 1337 counter`)
	if err != nil {
		t.Fatal(err, out)
	}
	send(t, pid)
	out, err = load(n, "nft", "list", "chain", "inet", "t", "o")
	must(t, err)
	if !strings.Contains(out, "skuid 1337 counter packets 1 ") {
		t.Errorf("got %s, want one packet counted", out)
	}
}

// send sends one packet as uid 1337 of the pod and one as another, which are
// 101337 and 101338 here.
func send(t *testing.T, pid string) {
	t.Helper()
	for _, uid := range []int{101337, 101338, 1337} {
		run(t, fmt.Sprintf("nsenter --net=/proc/%s/ns/net setpriv --reuid %d --clear-groups bash -c 'echo x >/dev/udp/127.0.0.1/9'", pid, uid))
	}
}

// packets is the first column of the rule in a listing.
func packets(listing string) string {
	for line := range strings.Lines(listing) {
		if strings.Contains(line, "owner") {
			return strings.Fields(line)[0]
		}
	}
	return "no rule in " + listing
}
