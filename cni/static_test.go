package cni

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// static is a network config with settings of its own, as a runtime without
// Kubernetes has them.
func static(uid int) string { return config(fmt.Sprintf(`"interception":{"proxy-uid":%d}`, uid)) }

func TestOnlyTheFirstInterfaceOfAStaticContainerCounts(t *testing.T) {
	h := newHost(t)
	for _, step := range []struct {
		verb, ifname string
		uid          int // the settings of the interface's network
		did, outcome string
	}{
		{"ADD", "eth0", 7, "[apply uid 7 /run/netns/x]", "program static-settings"},
		{"ADD", "eth1", 8, "[]", "pass second-interface"},
		{"ADD", "eth0", 7, "[apply uid 7 /run/netns/x]", "program static-settings"}, // again: apply finds nothing to do
		{"CHECK", "eth0", 7, "[check /run/netns/x]", "program static-settings"},
		{"CHECK", "eth1", 8, "[]", "pass second-interface"},
		{"ADD", "eth1", -1, "[]", "pass second-interface"}, // nothing of it would be programmed, bad or good
		{"DEL", "eth1", 8, "[]", ""},
		{"DEL", "eth0", 7, "[remove /run/netns/x]", ""},
		{"DEL", "eth0", 7, "[]", ""}, // it comes twice
		{"ADD", "eth1", 8, "[apply uid 8 /run/netns/x]", "program static-settings"},
	} {
		h.rules.did, h.agent.reports = nil, nil
		code, out := h.call(step.verb, static(step.uid), "CNI_IFNAME="+step.ifname)
		var outcome string
		for _, r := range h.agent.reports {
			outcome += r.Outcome + " " + r.Reason
		}
		if got := fmt.Sprint(h.rules.did); code != 0 || got != step.did || outcome != step.outcome {
			t.Errorf("%s %s: got %d %s %s, reported %q\nwant 0, %s and %q", step.verb, step.ifname, code, out, got, outcome, step.did, step.outcome)
		}
	}
	if said := h.stderr.String(); !strings.Contains(said, "programmed for its interface eth0") {
		t.Errorf("the log does not say why eth1 passes:\n%s", said)
	}
}

func TestASecondInterfaceOfAPodIsDecidedAsTheFirst(t *testing.T) {
	h := newHost(t)
	for _, ifname := range []string{"eth0", "net1"} { // equal decisions make equal rules
		if code, out := h.call("ADD", config(injected), "CNI_ARGS="+ofCart, "CNI_IFNAME="+ifname); code != 0 {
			t.Errorf("%s: got %d %s", ifname, code, out)
		}
	}
	if got := len(h.rules.did); got != 2 {
		t.Errorf("applied %d times, want 2", got)
	}
	if left, err := os.ReadDir(string(h.memory)); len(left) > 0 || err != nil {
		t.Errorf("a pod is remembered: %v, %v; its rules are not DEL's to remove", left, err)
	}
}

func TestInterfacesThatComeTogetherAreProgrammedOnce(t *testing.T) {
	h := newHost(t)
	h.rules.before = func() { // another interface comes meanwhile
		h.rules.before = nil
		if code, out := h.call("ADD", static(8), "CNI_IFNAME=eth1"); code != 0 {
			t.Errorf("eth1: got %d %s", code, out)
		}
	}
	if code, out := h.call("ADD", static(7), "CNI_IFNAME=eth0"); code != 0 {
		t.Fatalf("eth0: got %d %s", code, out)
	}
	if got, want := fmt.Sprint(h.rules.did), "[apply uid 7 /run/netns/x]"; got != want {
		t.Errorf("got %s, want %s: the first claim counts", got, want)
	}
}

func TestAClaimLostBetweenDecisionAndProgrammingPasses(t *testing.T) {
	h := newHost(t)
	c := &call{Plugin: Plugin{Memory: h.memory}, Request: Request{ContainerID: "c1", Ifname: "eth1"}}
	r := readRequest(func(string) string { return "" }, []byte(static(8)))
	c.Config = r.Config
	d := c.decide()
	if _, err := h.memory.Claim("c1", "eth0"); err != nil {
		t.Fatal(err)
	}
	got, err := c.claim(d)
	if err != nil || got.Reason != "second-interface" {
		t.Errorf("got %s, %v; want second-interface", got.Reason, err)
	}
}

func TestDelFindsWhatAnAddHasLeftThatWasEndedHalfway(t *testing.T) {
	h := newHost(t)
	h.rules.before = func() {
		if first, err := h.memory.Recall("c1"); first != "eth0" || err != nil {
			t.Errorf("when the rules change, got %q, %v; want eth0 noted", first, err)
		}
	}
	h.rules.err = errors.New("no")
	if code, _ := h.call("ADD", static(7)); code == 0 {
		t.Fatal("ADD did not fail")
	}
	h.rules.did, h.rules.err = nil, nil
	if code, out := h.call("DEL", static(7)); code != 0 || fmt.Sprint(h.rules.did) != "[remove /run/netns/x]" {
		t.Errorf("DEL after a failed ADD: got %d %s %v, want the rules removed", code, out, h.rules.did)
	}
	if left, err := os.ReadDir(string(h.memory)); len(left) > 0 || err != nil {
		t.Errorf("left in memory: %v, %v", left, err)
	}
}

func TestWhatCannotBeNotedIsNotProgrammed(t *testing.T) {
	h := newHost(t)
	h.memory = Memory(filepath.Join(string(h.memory), "file"))
	if err := os.WriteFile(string(h.memory), nil, 0o600); err != nil { // stands where the folder should be
		t.Fatal(err)
	}
	_, out := h.call("ADD", static(7))
	if _, code, msg := failure(t, out); code != CodeApply || !strings.Contains(msg, "nothing was programmed") || len(h.rules.did) > 0 {
		t.Errorf("got code %d %q, rules %v; want %d and nothing programmed", code, msg, h.rules.did, CodeApply)
	}
	if n := len(h.agent.reports); n != 1 || h.agent.reports[0].Outcome != "error" {
		t.Errorf("got reports %+v, want one error", h.agent.reports)
	}
}

func TestAFailedAddThatTouchedNothingForgetsNothingElse(t *testing.T) {
	h := newHost(t)
	h.call("ADD", static(7), "CNI_CONTAINERID=other")
	h.rules.err = errors.New("no")
	h.call("ADD", static(7))
	h.rules.err = nil
	if code, out := h.call("GC", strings.Replace(config(`"cni.dev/valid-attachments":[]`), "1.0.0", "1.1.0", 1)); code != 0 {
		t.Errorf("GC: got %d %s", code, out)
	}
	h.rules.did = nil
	if code, out := h.call("DEL", static(7), "CNI_CONTAINERID=other"); code != 0 || len(h.rules.did) != 1 {
		t.Errorf("the other container: got %d %s %v, want its rules removed", code, out, h.rules.did)
	}
}

func TestDelWithoutNamespaceForgetsTheContainer(t *testing.T) {
	h := newHost(t)
	h.call("ADD", config(`"interception":{}`))
	if code, out := h.call("DEL", config(), "CNI_NETNS="); code != 0 || len(h.rules.did) != 1 {
		t.Errorf("got %d %s, rules %v", code, out, h.rules.did)
	}
	if ifname, err := h.memory.Recall("c1"); ifname != "" || err != nil {
		t.Error("the container is still remembered", ifname, err)
	}
}

func TestMemoryThatCannotBeReadFailsAddAndDelAndNothingIsChanged(t *testing.T) {
	h := newHost(t)
	if err := os.Mkdir(filepath.Join(string(h.memory), "c1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"ADD", "DEL"} {
		if code, out := h.call(verb, static(7)); code == 0 || len(h.rules.did) > 0 {
			t.Errorf("%s: got %d %s, rules %v; want an error and none touched", verb, code, out, h.rules.did)
		}
	}
}
