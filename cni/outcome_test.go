package cni

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestEveryOutcomeIsOneLogLineAndOneReport(t *testing.T) {
	v11 := func(s string) string { return strings.Replace(s, "1.0.0", "1.1.0", 1) }
	for _, c := range []struct {
		name, verb, config string
		env                []string
		want               string // outcome, reason and code of the report
	}{
		{"config that is no JSON", "ADD", "{", nil, "error bad-config 7"},
		{"config that is no JSON, CHECK", "CHECK", "[]", nil, "error bad-config 7"},
		{"config that is no JSON, DEL", "DEL", "{", nil, "error undecided 7"},
		{"CNI_ARGS and config bad", "ADD", "{", []string{"CNI_ARGS=x"}, "error bad-cni-args 4"},
		{"version that is not spoken", "ADD", `{"cniVersion":"9","name":"n"}`, nil, "error undecided 1"},
		{"no name", "ADD", `{"cniVersion":"1.0.0"}`, nil, "error undecided 7"},
		{"no container id", "ADD", config(), []string{"CNI_CONTAINERID="}, "error undecided 4"},
		{"config that is no JSON, no container id", "ADD", "{", []string{"CNI_CONTAINERID="}, "error undecided 4"},
		{"unknown verb", "DELETE", config(), nil, "error undecided 4"},
		{"too large", "ADD", strings.Repeat(" ", MaxInput+1), nil, "error undecided 7"},
		{"result that cannot be translated", "ADD", config(unmeshed, `"prevResult":{"cniVersion":"9"}`), []string{"CNI_ARGS=" + ofCart}, "error not-injected 7"},
		{"STATUS of a host that can do nothing", "STATUS", v11(config()), nil, "error undecided 50"},
		{"pass", "ADD", config(unmeshed), []string{"CNI_ARGS=" + ofCart}, "pass not-injected 0"},
		{"program", "ADD", config(injected), []string{"CNI_ARGS=" + ofCart}, "error meshed 103"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.rules.err = errors.New("nothing works")
			h.call(c.verb, c.config, c.env...)
			var got []string
			for _, r := range h.agent.reports {
				got = append(got, fmt.Sprint(r.Outcome, " ", r.Reason, " ", r.Code))
			}
			log := h.stderr.String()
			if len(got) != 1 || got[0] != c.want || strings.Count(log, "\n") != 1 || !strings.Contains(log, "reason="+strings.Fields(c.want)[1]) {
				t.Errorf("got reports %q, log\n%swant one of each: %s", got, log, c.want)
			}
		})
	}
}

func TestNothingIsProgrammedForAResultThatCannotBeAnswered(t *testing.T) {
	h := newHost(t)
	_, out := h.call("ADD", config(injected, `"prevResult":{"cniVersion":"9"}`), "CNI_ARGS="+ofCart)
	if _, code, _ := failure(t, out); code != CodeConfig || len(h.rules.did) > 0 {
		t.Errorf("got code %d, rules %v; want %d and none", code, h.rules.did, CodeConfig)
	}
}

func TestAnErrorSaysWhatBecomesOfThePod(t *testing.T) {
	for verb, want := range map[string]string{
		"ADD":   "the pod is not started",
		"CHECK": "the pod's rules were not compared, and nothing was changed",
	} {
		h := newHost(t)
		h.agent.err = errors.New("away")
		_, out := h.call(verb, config(injected), "CNI_ARGS="+ofCart)
		_, code, msg := failure(t, out)
		if code != CodeTryAgain || !strings.Contains(msg, want) || verb == "CHECK" && strings.Contains(msg, "not started") {
			t.Errorf("%s: got %d %q, want %d and %q", verb, code, msg, CodeTryAgain, want)
		}
	}
}

func TestStandardInputThatDoesNotEndIsLeft(t *testing.T) {
	stdin, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer writer.Close()
	if _, err := writer.WriteString("{"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = readInput(&Input{FD: int(stdin.Fd()), Within: 20 * time.Millisecond})
	if took := time.Since(begin); codeOf(err) != CodeInput || !strings.Contains(err.Error(), "did not end in time") || took < 20*time.Millisecond || took > 5*time.Second {
		t.Errorf("got %v after %v, want code %d after 20ms", err, took, CodeInput)
	}
}

func TestStandardInputIsReadToItsEndHoweverItComes(t *testing.T) {
	stdin, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	go func() {
		for _, part := range []string{"{", `"a":`, "1}"} {
			time.Sleep(2 * time.Millisecond)
			_, _ = writer.WriteString(part) // what did not arrive is missing below
		}
		_ = writer.Close()
	}()
	doc, err := readInput(&Input{FD: int(stdin.Fd()), Within: time.Minute})
	if want := `{"a":1}`; string(doc) != want || err != nil {
		t.Errorf("got %q, %v; want %q", doc, err, want)
	}
	if _, err := readInput(&Input{FD: -1, Within: time.Second}); codeOf(err) != CodeInput {
		t.Errorf("a descriptor that is none: got %v", err)
	}
}

func TestStandardInputThatCannotBeReadIsSaid(t *testing.T) {
	stdin, writer := io.Pipe()
	if err := writer.CloseWithError(errors.New("gone")); err != nil {
		t.Fatal(err)
	}
	if _, err := readInput(stdin); codeOf(err) != CodeInput || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got %v, want code %d and the cause", err, CodeInput)
	}
	for extra, want := range map[int]bool{0: true, 1: false} {
		doc, err := readInput(strings.NewReader(strings.Repeat(" ", MaxInput+extra)))
		if (err == nil) != want || want && len(doc) != MaxInput {
			t.Errorf("%d bytes over the limit: got %d bytes, %v", extra, len(doc), err)
		}
	}
}
