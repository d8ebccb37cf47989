package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// everyKind is one document of every kind that makes pods, and some that do not.
const everyKind = `apiVersion: v1
kind: Service
metadata: {name: svc}
---
apiVersion: v1
kind: Pod
metadata: {name: pod, annotations: &a {traffic.sidecar.istio.io/excludeOutboundPorts: "7001"}}
spec: {containers: [{name: c}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: deployment, namespace: shop}
spec: {template: {metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7002"}}, spec: {containers: [{name: c}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: stateful}
spec: {template: {metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7003"}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: daemon}
spec: {template: {metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7004"}}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: replica}
spec: {template: {metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7005"}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: job-}
spec: {template: {metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7006"}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: cron}
spec: {jobTemplate: {spec: {template: {metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7007"}}}}}}
---
---
apiVersion: v1
kind: List
items:
- kind: Pod
  metadata:
    name: listed
    annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7008"}
  spec:
    containers:
    - name: istio-proxy
      args: [proxy, sidecar]
      securityContext: {runAsUser: 1500}
      env: [{name: INVALID_DROP, value: "true"}]
- kind: Pod
  metadata: {name: host}
  spec: {hostNetwork: true}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryKindThatMakesPodsIsRead(t *testing.T) {
	c := call(nil, everyKind, "apply", "--dry-run", "-f", "-", "--ip-families", "v4")
	if c.code != 0 {
		t.Fatalf("exit code %d: %s", c.code, c.stderr)
	}
	blocks := strings.Split(c.stdout, "# stdin: ")[1:]
	want := []struct{ title, holds string }{
		{"Pod pod (assumed: not injected)", "--dport 7001 "},
		{"Deployment shop/deployment (assumed: not injected)", "--dport 7002 "},
		{"StatefulSet stateful (assumed: not injected)", "--dport 7003 "},
		{"DaemonSet daemon (assumed: not injected)", "--dport 7004 "},
		{"ReplicaSet replica (assumed: not injected)", "--dport 7005 "},
		{"Job job- (assumed: not injected)", "--dport 7006 "},
		{"CronJob cron (assumed: not injected)", "--dport 7007 "},
		{"Pod listed", "--uid-owner 1500 "},
		{"Pod host", "# left alone: it uses the host's network"},
	}
	if len(blocks) != len(want) {
		t.Fatalf("got %d blocks, want %d:\n%s", len(blocks), len(want), c.stdout)
	}
	for i, w := range want {
		if title, _, _ := strings.Cut(blocks[i], "\n"); title != w.title || !strings.Contains(blocks[i], w.holds) {
			t.Errorf("block %d: got %q, want %q with %q\n%s", i, title, w.title, w.holds, blocks[i])
		}
	}
	if !strings.Contains(blocks[7], "INVALID") || !strings.Contains(blocks[7], "--dport 7008 ") {
		t.Errorf("the proxy's environment or the annotation is not read:\n%s", blocks[7])
	}
	if again := call(nil, everyKind, "apply", "--dry-run", "-f", "-", "--ip-families", "v4"); again.stdout != c.stdout {
		t.Error("two runs print different bytes")
	}
}

func TestInjectedOnlyLeavesTheOthersOut(t *testing.T) {
	c := call(nil, everyKind, "apply", "--dry-run", "-f", "-", "--injected-only")
	if n := strings.Count(c.stdout, "# stdin: "); c.code != 0 || n != 1 || !strings.Contains(c.stdout, "Pod listed") {
		t.Errorf("exit code %d, %d blocks, want the injected pod alone\n%s", c.code, n, c.stdout)
	}
}

func TestManifestsAreReadFromDirectoriesInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "a.yml", "c/d.json", "README.md"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		text := `{"kind": "Pod", "metadata": {"name": "` + filepath.Base(name) + `"}}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var plans []workloadPlan
	c := call(nil, "", "apply", "--dry-run", "-f", dir, "--format", "json")
	if err := json.Unmarshal([]byte(c.stdout), &plans); err != nil {
		t.Fatalf("exit code %d: %v\n%s", c.code, err, c.stderr)
	}
	var names []string
	for _, p := range plans {
		_, name, _ := strings.Cut(p.Workload, ": Pod ")
		names = append(names, strings.Fields(name)[0])
	}
	if got := strings.Join(names, " "); got != "a.yml b.yaml d.json" {
		t.Errorf("got %s, want a.yml b.yaml d.json", got)
	}
}

func TestBadManifestsAreRefusedWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"number as annotation", "kind: Pod\nmetadata:\n  name: db\n  annotations:\n    traffic.sidecar.istio.io/excludeInboundPorts: 5432\n",
			`document 1 (line 1), Pod db: annotation traffic.sidecar.istio.io/excludeInboundPorts=5432: not a text`},
		{"bad value in the second document", "kind: ConfigMap\n---\nkind: Pod\nmetadata: {name: db, annotations: {traffic.sidecar.istio.io/excludeInboundPorts: \"0\"}}\n",
			`document 2 (line 3), Pod db: annotation traffic.sidecar.istio.io/excludeInboundPorts`},
		{"value from elsewhere", "kind: Pod\nmetadata: {name: db}\nspec: {containers: [{name: istio-proxy, env: [{name: ISTIO_META_DNS_CAPTURE, valueFrom: {}}]}]}\n",
			"ISTIO_META_DNS_CAPTURE"},
		{"no template", "kind: Deployment\nmetadata: {name: web}\n", "no pod template at spec.template"},
		{"broken YAML", "kind: Pod\n  metadata: [\n", "document 1"},
		{"nothing that makes pods", "kind: Service\n", "describes no pod"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "x.yaml", c.doc)
			got := call(nil, "", "apply", "--dry-run", "-f", file)
			if got.code != 64 || !strings.Contains(got.stderr, c.want) || !strings.Contains(got.stderr, file) {
				t.Errorf("exit code %d, want 64 and %q in\n%s", got.code, c.want, got.stderr)
			}
			if got.stdout != "" {
				t.Errorf("printed in spite of errors:\n%s", got.stdout)
			}
		})
	}
}

func TestEnvironmentDoesNotCountWithManifestsButFlagsDo(t *testing.T) {
	const pod = "kind: Pod\nmetadata: {name: db}\n"
	c := call(map[string]string{"ENVOY_PORT": "16001"}, pod, "apply", "--dry-run", "-f", "-", "-z", "16006")
	if strings.Contains(c.stdout, "16001") || !strings.Contains(c.stdout, "--to-ports 16006") {
		t.Errorf("got\n%s", c.stdout)
	}
	if c := call(nil, pod, "apply", "-f", "-"); c.code != 64 || !strings.Contains(c.stderr, "--dry-run") {
		t.Errorf("applying somebody else's pod: exit code %d, %s", c.code, c.stderr)
	}
}

func TestConfigurationFileCountsLeast(t *testing.T) {
	file := write(t, "sluice.yaml", "istio-inbound-ports: [80, 8080]\nenvoy-port: 16001\nproxy-uid: 2000\nredirect-dns: false\n")
	c := call(map[string]string{"PROXY_UID": "3000"}, "", "apply", "--print-config", "--config", file, "-p", "17001")
	for _, want := range []string{`"80,8080"`, `"17001"`, `"3000"`, "file " + file, "environment PROXY_UID", "flag -p"} {
		if !strings.Contains(c.stdout, want) {
			t.Errorf("lacks %s:\n%s%s", want, c.stdout, c.stderr)
		}
	}
	for _, bad := range []string{"envoy-prot: 1\n", "envoy-port: {a: 1}\n", "envoy-port: 0\n", "- a\n", "a: [\n", "envoy-port: 1\nenvoy-port: 2\n"} {
		file := write(t, "bad.yaml", bad)
		if c := call(nil, "", "apply", "--dry-run", "--config", file); c.code != 64 || !strings.Contains(c.stderr, file) {
			t.Errorf("%q: exit code %d, want 64: %s", bad, c.code, c.stderr)
		}
	}
}
