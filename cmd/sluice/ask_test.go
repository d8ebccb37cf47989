package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const seedDump = "../../testdata/dumps/istio-init-2022.v4.rules"

func TestExplainAnswersFromEverySource(t *testing.T) {
	dump, err := os.ReadFile(seedDump)
	if err != nil {
		t.Fatal(err)
	}
	pod := "kind: Pod\nmetadata: {name: db, annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: \"3306\"}}\n"
	dir := t.TempDir()
	if c := call(nil, "", "apply", "--dry-run", "-b", "*", "-i", "*", "--output-dir", dir); c.code != 0 {
		t.Fatal(c.stderr)
	}
	both := call(nil, "", "apply", "--dry-run", "-b", "*", "-i", "*").stdout
	for _, c := range []struct {
		name, stdin, want string
		args              []string
	}{
		{"flags", "", "Captured: the connection goes to the proxy's outbound port 15001.", []string{"-i", "*", "--to", "192.0.2.80:80"}},
		{"manifest", pod, "Not captured: the connection goes straight to 192.0.2.80:3306.", []string{"-f", "-", "--to", "192.0.2.80:3306"}},
		{"dump", string(dump), "Captured: the connection goes to the proxy's inbound port 15006.", []string{"--rules", "-", "--in", "--to", ":8080"}},
		{"dumped directory", "", "Captured: the connection goes to the proxy's outbound port 15001.", []string{"--rules", dir, "--to", "[2001:db8::1]:80"}},
		{"dry run of both families", both, "Captured: the connection goes to the proxy's outbound port 15001.", []string{"--rules", "-", "--to", "[2001:db8::1]:80"}},
		{"dump without the family", string(dump), "Not known: stdin holds no rules for IPv6", []string{"--rules", "-", "--to", "[2001:db8::1]:80"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := call(nil, c.stdin, append([]string{"explain"}, c.args...)...)
			if got.code != 0 || !strings.HasPrefix(got.stdout, c.want) {
				t.Errorf("exit code %d, want %q at the beginning of\n%s%s", got.code, c.want, got.stdout, got.stderr)
			}
		})
	}
}

func TestExplainGivesData(t *testing.T) {
	var list []explained
	c := call(nil, "", "explain", "-i", "*", "--to", "192.0.2.80:80", "--format", "json")
	if err := json.Unmarshal([]byte(c.stdout), &list); err != nil {
		t.Fatal(err)
	}
	w := list[0].Answers[0].Ways[0]
	if w.Port != 15001 || w.Setting != "istio-service-cidr" || len(w.Steps) < 5 {
		t.Errorf("got %+v", w)
	}
}

func TestDiffExitsWithTwoWhenSomethingDiffers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		code int
	}{
		{"flags:-i * -b *", "flags:-b * -i *", 0},
		{"flags:-i * -b *", "flags:-b *", 2},
		{"flags:-i '*' -b '*' -d 15090,15021,15020", seedDump, 2},
		{seedDump, seedDump, 0},
		{"flags:--nonsense", seedDump, 64},
		{"flags:-p 0", seedDump, 64},
		{"nowhere", seedDump, 64},
	} {
		got := call(nil, "", "diff", c.a, c.b)
		if got.code != c.code {
			t.Errorf("%s, %s: exit code %d, want %d\n%s%s", c.a, c.b, got.code, c.code, got.stdout, got.stderr)
		}
		if c.code == 0 && !strings.Contains(got.stdout, "equivalent") {
			t.Errorf("%s, %s: got %q", c.a, c.b, got.stdout)
		}
	}
}

func TestDiffComparesWorkloadsByName(t *testing.T) {
	was := write(t, "was.yaml", "kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: gone}\n---\nkind: Pod\nmetadata: {name: b}\n")
	now := write(t, "now.yaml", "kind: Pod\nmetadata: {name: b}\n---\nkind: Pod\nmetadata: {name: a, annotations: {traffic.sidecar.istio.io/excludeInboundPorts: \"80\"}}\n")
	c := call(nil, "", "diff", was, now)
	for _, want := range []string{"Pod a (assumed: not injected)\n  IPv4:\n    TCP arriving, port 80: was In, now direct\n", "Pod gone: not there", "Pod b (assumed: not injected)\n  IPv4: equivalent\n"} {
		if !strings.Contains(c.stdout, want) || c.code != 2 {
			t.Errorf("exit code %d, want 2 and %q in\n%s", c.code, want, c.stdout)
		}
	}
}

func TestGraphDrawsEveryFormatAndTheWayOfAConnection(t *testing.T) {
	for format, want := range map[string]string{"svg": "<svg ", "dot": "digraph ", "mermaid": "flowchart LR"} {
		if c := call(nil, "", "graph", "-b", "*", "-i", "*", "--format", format); c.code != 0 || !strings.Contains(c.stdout, want) {
			t.Errorf("%s: exit code %d, %s", format, c.code, c.stderr)
		}
		if c := call(nil, "", "apply", "--dry-run", "-b", "*", "--format", format); c.code != 0 || !strings.Contains(c.stdout, want) {
			t.Errorf("dry run as %s: exit code %d, %s", format, c.code, c.stderr)
		}
	}
	c := call(nil, "", "graph", "-i", "*", "--highlight", "app 192.0.2.80:80")
	if !strings.Contains(c.stdout, "url(#arrow-hot)") {
		t.Error("no line is highlighted")
	}
	if c := call(nil, "", "graph", "--highlight", "app"); c.code != 64 {
		t.Errorf("half a highlight: exit code %d, want 64", c.code)
	}
}

func TestOnlyOneSourceOfRules(t *testing.T) {
	if c := call(nil, "", "explain", "--rules", seedDump, "--live", "--to", ":80"); c.code != 64 {
		t.Errorf("exit code %d, want 64: %s", c.code, c.stderr)
	}
}
