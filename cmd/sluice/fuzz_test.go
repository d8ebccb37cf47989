package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exitsOf are the exit codes of a dry run: done, a difference, bad settings.
func mustExitWell(t *testing.T, c called) {
	t.Helper()
	if c.code != 0 && c.code != 64 && c.code != 1 {
		t.Fatalf("exit code %d\n%s", c.code, c.stderr)
	}
	if c.code != 0 && strings.TrimSpace(c.stderr) == "" {
		t.Fatal("it failed without a word")
	}
}

// FuzzManifest: any YAML prints rules or says what is wrong with it.
func FuzzManifest(f *testing.F) {
	f.Add("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    traffic.sidecar.istio.io/excludeOutboundPorts: \"80\"\nspec:\n  containers:\n  - name: istio-proxy\n")
	f.Add("kind: Deployment\nspec:\n  template:\n    metadata: {annotations: {sidecar.istio.io/inject: \"false\"}}\n    spec: {containers: [{name: app}]}\n---\n---\nkind: List\nitems: [{kind: Pod}]\n")
	f.Add("a: &a [*a]\n")
	f.Add("kind: Pod\nspec: 7\n")
	f.Fuzz(func(t *testing.T, text string) {
		mustExitWell(t, call(nil, text, "apply", "--dry-run", "-f", "-"))
	})
}

// FuzzConfigFile: any configuration file gives rules or says what is wrong.
func FuzzConfigFile(f *testing.F) {
	f.Add("istio-inbound-ports: '*'\nistio-service-cidr: 10.0.0.0/8\n")
	f.Add(`{"proxy-uid": 1337, "redirect-dns": true, "capture-all-dns": true}`)
	f.Add("proxy-uid: [1, 2]\nunknown: {}\n")
	f.Add("? [a]\n: b\n")
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mustExitWell(t, call(nil, "", "apply", "--dry-run", "--config", path))
	})
}
