package libcni

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/cni"
	"github.com/sluicemesh/sluice/test/rig"
)

// silent is a socket that takes calls and never answers.
func silent(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

func TestASilentAgentCostsItsOwnDeadlineAndNoMore(t *testing.T) {
	n := newNode(t)
	path := filepath.Join(n.dir, "silent", "node.sock")
	silent(t, path)
	list := n.list("1.0.0", n.sluice(`"agent_socket":"`+path+`"`, `"timeout":"2s"`))
	n.kubernetesPod(nil).mustAdd(list)
	p := n.kubernetesPod(meshed())
	begin := time.Now()
	_, err := p.add(list)
	if code(err) != cni.CodeTryAgain {
		t.Errorf("meshed: got %v, want code %d", err, cni.CodeTryAgain)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("meshed: waited %v, longer than the config's timeout", took)
	}
	if rules := p.Save(rig.NFT, rig.IPv4); strings.Contains(rules, "ISTIO") {
		t.Errorf("programmed without knowing the pod:\n%s", rules)
	}
}

func TestAnAgentBehindAnOpenFolderIsNotBelieved(t *testing.T) {
	n := newNode(t)
	if err := os.Chmod(filepath.Dir(n.agent.Socket), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := n.kubernetesPod(meshed()).add(n.list("1.0.0", n.sluice()))
	if code(err) != cni.CodeTryAgain || !strings.Contains(err.Error(), "0700") {
		t.Errorf("got %v, want code %d and what the folder must be", err, cni.CodeTryAgain)
	}
	if n.agent.Asked() != 0 {
		t.Error("the agent was asked all the same")
	}
}

func TestAPodOfTheSameNameButAnotherUIDIsNotTakenForThisOne(t *testing.T) {
	n := newNode(t)
	p := n.kubernetesPod(meshed())
	p.rt.Args[3][1] = "another"
	if _, err := p.add(n.list("1.0.0", n.sluice())); code(err) != cni.CodeTryAgain {
		t.Errorf("got %v, want code %d", err, cni.CodeTryAgain)
	}
}

func TestTheAgentLearnsWhatBecameOfEachCall(t *testing.T) {
	n := newNode(t)
	list := n.list("1.0.0", n.sluice(`"backend":"nftables"`))
	n.kubernetesPod(meshed()).mustAdd(list)
	n.kubernetesPod(nil).mustAdd(list)
	for range 100 { // the plugin does not wait for the agent to read
		if len(n.agent.Reports()) == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	var got []string
	for _, r := range n.agent.Reports() {
		got = append(got, strings.TrimSpace(r.Verb+" "+r.Outcome+" "+r.Reason+" "+r.Backend))
	}
	if want := "ADD program meshed nftables|ADD pass not-injected"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", strings.Join(got, "|"), want)
	}
}
