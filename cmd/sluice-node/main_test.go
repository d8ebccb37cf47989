package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// node is a host's root with a primary plugin.
func node(t *testing.T) (root string, flags []string) {
	t.Helper()
	root = t.TempDir()
	for _, d := range []string{"etc/cni/net.d", "opt/cni/bin"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(root, "plugin"), []byte("program"), 0o755))
	raw, err := os.ReadFile("../../testdata/conflists/10-calico.conflist")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "etc/cni/net.d/10-calico.conflist"), raw, 0o644))
	return root, []string{"--host-root", root, "--plugin", filepath.Join(root, "plugin")}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call runs a command line and gives its exit code and both streams.
func call(t *testing.T, args ...string) (code int, out, log string) {
	t.Helper()
	var o, l bytes.Buffer
	code = exit(dispatch(context.Background(), args, &o, &l), &l)
	return code, o.String(), l.String()
}

func TestInstallStatusUninstallFromTheCommandLine(t *testing.T) {
	root, flags := node(t)
	file := filepath.Join(root, "etc/cni/net.d/10-calico.conflist")
	before, err := os.ReadFile(file)
	must(t, err)
	with := func(args ...string) []string { return append(args, flags...) }
	for _, step := range []struct {
		args []string
		code int
		out  []string
	}{
		{with("status"), 2, []string{"pending", "missing", "our entry is absent", "→"}},
		{with("install", "--once"), 0, []string{"installed /etc/cni/net.d/10-calico.conflist", "plugin written to /opt/cni/bin/sluice-cni", "1 change"}},
		{with("status"), 0, []string{"10-calico.conflist  installed", "sluice-cni  installed"}},
		{with("install", "--once"), 0, []string{"0 changes"}},
		{with("uninstall", "--grace", "0s"), 0, []string{"uninstalled: 1 change in"}},
		{with("status"), 2, []string{"pending", "missing"}},
	} {
		code, out, log := call(t, step.args...)
		if code != step.code {
			t.Errorf("%v: got exit %d, want %d\n%s%s", step.args, code, step.code, out, log)
		}
		for _, want := range step.out {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", step.args[0], want, out)
			}
		}
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(after, before) {
		t.Errorf("got %s, %v; want the primary's file as it was", after, err)
	}
}

func TestInstallOnceWithoutAConfigurationSaysSoAndFails(t *testing.T) {
	root, flags := node(t)
	must(t, os.Remove(filepath.Join(root, "etc/cni/net.d/10-calico.conflist")))
	for _, wait := range []string{"0s", "50ms"} {
		code, out, log := call(t, append([]string{"install", "--once", "--wait", wait}, flags...)...)
		if code != 1 || !strings.Contains(log, "no network configuration") {
			t.Errorf("wait %s: got exit %d, %q %q; want 1 and the reason", wait, code, out, log)
		}
	}
}

func TestHelpIsAnAnswerAndNoMistake(t *testing.T) {
	for _, word := range []string{"help", "-h", "--help"} {
		if code, out, log := call(t, word); code != 0 || !strings.Contains(out, "uninstall") || log != "" {
			t.Errorf("%s: got exit %d, %q %q; want 0 and the commands", word, code, out, log)
		}
	}
}

func TestBadUsageIsExit64AndNamesTheMistake(t *testing.T) {
	_, flags := node(t)
	for _, tt := range []struct {
		args []string
		word string
	}{
		{nil, "want a command"},
		{[]string{"instal"}, `"instal"`},
		{append([]string{"status", "extra"}, flags...), `no argument "extra"`},
		{append([]string{"status", "--plugin-config", `{"loglevel":"x"}`}, flags...), "loglevel"},
		{append([]string{"status", "--conf-file", "../x"}, flags...), "--conf-file"},
		{append([]string{"status", "--agent-socket", "x"}, flags...), "absolute"},
		{[]string{"run"}, "--node-name"},
		{[]string{"run", "--node-name", "n", "--repair-label-key", "bad key!"}, `--repair-label-key "bad key!"`},
		{[]string{"run", "--node-name", "n", "--repair-label-value", "-"}, `--repair-label-value "-"`},
		{[]string{"run", "--node-name", "n", "--validation-exit-code", "4294967422"}, "4294967422: want 1 to 255"},
		{[]string{"run", "--node-name", "n", "--validation-exit-code", "0"}, "0: want 1 to 255"},
		{[]string{"run", "--node-name", "n", "--validation-exit-code", "256"}, "256: want 1 to 255"},
		{[]string{"decide"}, "-f"},
		{[]string{"decide", "-f", "x", "--plugin-config", `{"loglevel":"x"}`}, "loglevel"},
		{[]string{"decide", "-f", "x", "--bin-dir", "/"}, "bin-dir"},
	} {
		code, _, log := call(t, tt.args...)
		if code != 64 || !strings.Contains(log, tt.word) {
			t.Errorf("%v: got exit %d %q; want 64 and %q", tt.args, code, log, tt.word)
		}
	}
}

func TestUninstallNeedsNeitherFoldersNorSettings(t *testing.T) {
	root, flags := node(t)
	dirs := []string{"--conf-dir", "/etc/cni/net.d", "--bin-dir", "/opt/cni/bin"}
	if code, out, log := call(t, append([]string{"install", "--once"}, flags...)...); code != 0 {
		t.Fatalf("got exit %d: %s%s", code, out, log)
	}
	must(t, os.RemoveAll(filepath.Join(root, "etc")))
	args := append(append([]string{"uninstall", "--plugin-config", "@" + root + "/gone.json"}, flags...), dirs...)
	for range 2 {
		code, out, log := call(t, args...)
		if code != 0 || !strings.Contains(out, "0 changes") {
			t.Errorf("got exit %d, %q %q; want 0 and 0 changes", code, out, log)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "opt/cni/bin/sluice-cni")); !os.IsNotExist(err) {
		t.Errorf("plugin: got %v, want it gone", err)
	}
}

func TestStatusTellsAPluginThatAnInstallWouldReplace(t *testing.T) {
	root, flags := node(t)
	if code, out, log := call(t, append([]string{"install", "--once"}, flags...)...); code != 0 {
		t.Fatalf("got exit %d: %s%s", code, out, log)
	}
	plugin := filepath.Join(root, "opt/cni/bin/sluice-cni")
	for _, tc := range []struct {
		spoil func() error
		says  string
	}{
		{func() error { return os.Chmod(plugin, 0o644) }, "sluice-cni  stale"},
		{func() error { return os.WriteFile(plugin, []byte("other"), 0o755) }, "sluice-cni  stale"},
		{func() error { return os.Remove(plugin) }, "sluice-cni  missing"},
		{func() error { return os.Mkdir(plugin, 0o755) }, "sluice-cni  not a file"},
	} {
		must(t, tc.spoil())
		code, out, log := call(t, append([]string{"status"}, flags...)...)
		if code != 2 || !strings.Contains(out, tc.says) || !strings.Contains(out, "to do          copy "+root+"/plugin") {
			t.Errorf("got exit %d, want 2, %q and what to copy\n%s%s", code, tc.says, out, log)
		}
	}
	must(t, os.RemoveAll(plugin))
	must(t, os.WriteFile(plugin, []byte("program"), 0o755))
	code, out, _ := call(t, append([]string{"status"}, append(flags, "--plugin", root+"/elsewhere")...)...)
	if code != 2 || !strings.Contains(out, "not compared") || !strings.Contains(out, "elsewhere: no such file") {
		t.Errorf("without the program: got exit %d, want 2 and why it is not compared\n%s", code, out)
	}
}

func TestInstallSaysWhichFileKeepsTheRuntimeFromTheOneItEdits(t *testing.T) {
	root, flags := node(t)
	must(t, os.WriteFile(filepath.Join(root, "etc/cni/net.d/05-cut.conflist"), []byte(`{"name":"x","plug`), 0o644))
	code, out, log := call(t, append([]string{"install", "--once"}, flags...)...)
	if code != 0 || !strings.Contains(out, "not loadable 05-cut.conflist: ") || !strings.Contains(out, "containerd loads nothing") {
		t.Errorf("got exit %d, want 0 and the file named\n%s%s", code, out, log)
	}
	must(t, os.RemoveAll(filepath.Join(root, "opt/cni/bin")))
	must(t, os.WriteFile(filepath.Join(root, "opt/cni/bin"), nil, 0o644))
	code, out, _ = call(t, append([]string{"install", "--once", "--conf-dir", "/etc/cni/net.d", "--bin-dir", "/opt/cni/bin"}, flags...)...)
	if code != 1 || !strings.HasPrefix(out, "failed in /etc/cni/net.d, 0 changes\n  open ") {
		t.Errorf("got exit %d, want 1 and a line that says failed\n%s", code, out)
	}
}

func TestDecidePrintsThePluginsDecisionForEveryPod(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pods.yaml")
	must(t, os.WriteFile(file, []byte(`
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, annotations: {sidecar.istio.io/status: "{}"}}
spec:
  initContainers: [{name: setup}]
  containers: [{name: istio-proxy}, {name: app}]
---
apiVersion: v1
kind: Pod
metadata: {name: plain}
spec: {containers: [{name: app}]}
---
# nothing but a comment
---
apiVersion: v1
kind: Pod
metadata: {name: odd, namespace: shop, annotations: {sidecar.istio.io/status: "{}", traffic.sidecar.istio.io/excludeOutboundPorts: "99999"}}
spec: {containers: [{name: istio-proxy}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, annotations: {sidecar.istio.io/status: "{}"}}
spec: {containers: [{name: istio-proxy}]}
`), 0o644))
	code, out, log := call(t, "decide", "-f", file)
	if code != 1 || !strings.Contains(log, "refuse 1 of 4 pods") {
		t.Errorf("got exit %d %q, want 1: a pod would be refused", code, log)
	}
	for _, want := range []string{
		"shop/cart: program (row 14, meshed)", "  warning: ", "default/plain: pass (row 8, no-proxy)",
		"shop/odd: error (row 13, invalid-settings)", "99999", "kube-system/dns: pass (row 3, namespace-excluded)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
