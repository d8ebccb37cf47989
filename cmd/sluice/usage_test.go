package main

import (
	"strings"
	"testing"
)

func TestWordsThatAreNotUnderstoodAreRefused(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"chek", `unknown command "chek"; did you mean check?`},
		{"nonsense", `unknown command "nonsense"`},
		{"check -i go.mod go.sum", `unexpected "go.sum": sluice check takes flags only (a * has to be quoted`},
		{"apply --dry-run go.sum", `unexpected "go.sum": sluice apply takes flags only`},
		{"clean shop", `unexpected "shop": sluice clean takes flags only`},
		{"diff one", "diff compares two things, A and B, not 1"},
		{"check --nonsense", "unknown flag: --nonsense"},
		{"apply --dryrun --nonsense=1 --log-as-json -i 10.0.0.0/8", "unknown flag: --dryrun (did you mean --dry-run?), --nonsense, --log-as-json (did you mean --log_as_json?)"},
		{"apply -i 10.0.0.0/8 -y", "unknown shorthand flag: 'y' in -y"},
		{"apply -p", "flag needs an argument: 'p' in -p"},
	} {
		got := call(nil, "", strings.Fields(c.args)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("sluice %s: exit code %d, want %d with %q, got %q", c.args, got.code, exitUsage, c.want, got.stderr)
		}
	}
}

func TestTheMeshsSpellingIgnoresWordsWithAWarning(t *testing.T) {
	got := call(nil, "", "istio-iptables", "init", "--dry-run")
	if got.code != 0 || !strings.Contains(got.stderr, "ignored on the command line: init") {
		t.Errorf("exit code %d, want 0 with a warning, got %q", got.code, got.stderr)
	}
}

func TestAllThatIsWrongWithAQuestionIsSaidAtOnce(t *testing.T) {
	for args, want := range map[string][]string{
		"explain -p 0 --from bar --to foo --source s --pod-ip p": {`flag -p: envoy-port="0"`, `flag --from: from="bar"`, `flag --to: to="foo"`, `flag --source: source="s"`, `flag --pod-ip: pod-ip="p"`},
		"explain --rules x --from bar":                           {`flag --from: from="bar"`, `flag --to: to=""`},
		"graph --highlight bar -p 0":                             {`flag -p: envoy-port="0"`, `flag --highlight: highlight="bar"`},
	} {
		got := call(nil, "", strings.Fields(args)...)
		for _, w := range want {
			if got.code != exitUsage || !strings.Contains(got.stderr, w) {
				t.Errorf("sluice %s: exit code %d, want %d with %q, got %q", args, got.code, exitUsage, w, got.stderr)
			}
		}
	}
}
