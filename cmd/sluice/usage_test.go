package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
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

func TestWhatCannotBeMeantIsRefusedBeforeAnythingIsDone(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"diff", "", "flags:-i *"}, `one of "" and "flags:-i *" is empty`},
		{[]string{"diff", "flags:", "flags:-i *", "-b", "*"}, "flag -b: istio-inbound-ports=\"*\": is a setting, and nothing here is made of settings (accepted: with 'settings' as A or B)"},
		{[]string{"apply", "--dry-run", "-f", "a.yaml", "-f", "b.yaml"}, "given twice"},
		{[]string{"apply", "--output-dir", "d"}, "add --dry-run"},
		{[]string{"apply", "--dry-run", "--iptables-probe-port", "x"}, `iptables-probe-port="x": not a decimal port number`},
		{[]string{"apply", "--dry-run", "-f", "-"}, "- describes no pod"},
		{[]string{"explain", "--netns", "shop", "--to", ":80"}, `netns="shop": names a namespace whose rules nobody asked for (accepted: beside --live)`},
		{[]string{"validate", "-f", "no/such/file"}, "no/such/file"},
	} {
		got := call(nil, "", c.args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("sluice %q: exit code %d, want %d with %q, got %q", c.args, got.code, exitUsage, c.want, got.stderr)
		}
	}
}

func TestABooleanThatIsNoneIsRefusedByEveryCommandThatHasIt(t *testing.T) {
	p := program{env: func(string) (string, bool) { return "", false }}
	more := map[string][]string{"diff": {"settings", "flags:"}, "explain": {"--to", ":80"}}
	for _, c := range rootCommand(p).Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ours := f.Value.(*word); !ours || f.Value.Type() != "bool" {
				return
			}
			got := call(nil, "", append([]string{c.Name(), "--" + f.Name + "=maybe"}, more[c.Name()]...)...)
			if want := f.Name + `="maybe": not a boolean`; got.code != exitUsage || strings.Count(got.stderr, want) != 1 {
				t.Errorf("sluice %s --%s=maybe: exit code %d, want %d with %q once, got %q", c.Name(), f.Name, got.code, exitUsage, want, got.stderr)
			}
		})
	}
}

func TestABinaryNamedAsTheMeshsToolKnowsTheOtherCommandsToo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"/bin/istio-iptables", "-n"}, []string{"istio-iptables", "-n"}},
		{[]string{"istio-iptables", "init", "-n"}, []string{"istio-iptables", "init", "-n"}},
		{[]string{"istio-iptables", "istio-iptables", "-n"}, []string{"istio-iptables", "-n"}},
		{[]string{"istio-iptables", "clean"}, []string{"clean"}},
		{[]string{"istio-iptables.exe", "check"}, []string{"check"}},
		{[]string{"istio-iptables"}, []string{"istio-iptables"}},
		{[]string{"sluice", "init"}, []string{"init"}},
		{nil, nil},
	} {
		if got := arguments(c.args); !slices.Equal(got, c.want) {
			t.Errorf("%q is %q, want %q", c.args, got, c.want)
		}
	}
}

func TestADryRunOfACleanupTouchesAndPrintsNothing(t *testing.T) {
	got := call(nil, "", "apply", "-i", "*", "--cleanup-only", "--dry-run")
	if got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "this run would remove what is ours") {
		t.Errorf("exit code %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
	}
}

func TestWithJSONTheLastWordIsALineOfJSONToo(t *testing.T) {
	got := call(nil, "", "apply", "--dry-run", "--log_as_json", "-p", "0")
	var line struct{ Level, Msg string }
	if err := json.Unmarshal([]byte(got.stderr), &line); err != nil || got.code != exitUsage {
		t.Fatalf("exit code %d, %v: %q", got.code, err, got.stderr)
	}
	if line.Level != "error" || !strings.HasPrefix(line.Msg, "sluice: refused: flag -p") {
		t.Errorf("got %+v", line)
	}
	if got := call(nil, "", "apply", "--dry-run", "--log_as_json"); got.stderr != "" || got.code != 0 {
		t.Errorf("exit code %d and %q, want silence", got.code, got.stderr)
	}
}
