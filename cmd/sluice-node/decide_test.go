package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// decideText runs decide on a manifest.
func decideText(t *testing.T, text string, args ...string) (code int, out, log string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest")
	must(t, os.WriteFile(file, []byte(text), 0o644))
	return call(t, append([]string{"decide", "-f", file}, args...)...)
}

const meshedPod = `metadata: {name: cart, namespace: shop, annotations: {sidecar.istio.io/status: "{}", traffic.sidecar.istio.io/excludeOutboundPorts: "99"}}
spec: {containers: [{name: istio-proxy}]}
`

func TestDecideFindsThePodsOfEveryKindThatMakesThem(t *testing.T) {
	indent := func(text, by string) string {
		return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by) + "\n"
	}
	inSpec := "metadata: {name: web, namespace: shop}\nspec:\n  template:\n" + indent(meshedPod, "    ")
	const inList = "metadata: {}\nitems:\n- kind: Pod\n"
	for _, tc := range []struct{ text, want string }{
		{"kind: Pod\n" + meshedPod, "shop/cart: program"},
		{"kind: Pod\n" + strings.Replace(meshedPod, "name: cart, namespace: shop", "generateName: cart-", 1), "default/cart-: program"},
		{"kind: List\n" + inList + indent(meshedPod, "  "), "shop/cart: program"},
		{"kind: PodList\n" + strings.Replace(inList+indent(meshedPod, "  "), "- kind: Pod\n ", "-", 1), "shop/cart: program"},
		{"kind: Deployment\n" + inSpec, "Deployment shop/web: program"},
		{"kind: StatefulSet\n" + inSpec, "StatefulSet shop/web: program"},
		{"kind: DaemonSet\n" + inSpec, "DaemonSet shop/web: program"},
		{"kind: ReplicaSet\n" + inSpec, "ReplicaSet shop/web: program"},
		{"kind: ReplicationController\n" + inSpec, "ReplicationController shop/web: program"},
		{"kind: Job\n" + inSpec, "Job shop/web: program"},
		{"kind: PodTemplate\nmetadata: {name: web, namespace: shop}\ntemplate:\n" + indent(meshedPod, "  "), "PodTemplate shop/web: program"},
		{"kind: CronJob\nmetadata: {name: web, namespace: shop}\nspec:\n  jobTemplate:\n    spec:\n      template:\n" + indent(meshedPod, "        "), "CronJob shop/web: program"},
		{`{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"plain"},"spec":{"containers":[{"name":"app"}]}}]}`, "default/plain: pass (row 8, no-proxy): no container is named istio-proxy\n"},
	} {
		code, out, log := decideText(t, tc.text)
		if code != 0 || !strings.HasPrefix(out, tc.want) || strings.Count(out, "(row ") != 1 {
			t.Errorf("%s\ngot exit %d, want 0 and %q\n%s%s", tc.text, code, tc.want, out, log)
		}
		if strings.Contains(tc.want, "program") && !strings.Contains(out, "  setting: istio-local-outbound-ports-exclude=99 (annotation traffic.sidecar.istio.io/excludeOutboundPorts)\n") {
			t.Errorf("%s\nno setting of the annotation in\n%s", tc.text, out)
		}
	}
}

func TestDecideKnowsThePodsForWhichNoPluginIsCalled(t *testing.T) {
	for spec, says := range map[string]string{
		"hostNetwork: true":                                  "host's network",
		"os: {name: windows}":                                "Windows",
		`nodeSelector: {kubernetes.io/os: "windows"}`:        "Windows",
		"securityContext: {runAsUser: 1}, os: {name: linux}": "",
	} {
		_, out, _ := decideText(t, "kind: Pod\n"+strings.Replace(meshedPod, "spec: {", "spec: {"+spec+", ", 1))
		want := "shop/cart: pass (no plugin call): "
		if says == "" {
			want = "shop/cart: program"
		}
		if !strings.HasPrefix(out, want) || !strings.Contains(out, says) {
			t.Errorf("%s: got %q, want %q and %q", spec, out, want, says)
		}
	}
	_, out, _ := decideText(t, "kind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: app}]}}}")
	if !strings.Contains(out, "Deployment default/web: pass (row 8, no-proxy)") || !strings.Contains(out, "injector may add it") {
		t.Errorf("a template before injection: got %q, want it said that a proxy may be added", out)
	}
}

func TestDecideFailsWhereThereIsNoPodAndSaysWhatThereIs(t *testing.T) {
	for _, tc := range []struct{ text, says string }{
		{"", "no pod"},
		{"---\n---\n", "no pod"},
		{"kind: ConfigMap\nmetadata: {name: cm}", "ConfigMap cm: makes no pod"},
		{"kind: List\nitems: []", "no pod"},
		{"some words", "want a Kubernetes object, got string"},
		{"[1, 2]", "want a Kubernetes object, got array"},
		{"{}", "no kind"},
		{"kind: Pod\nmetadata: {name: x}\nspec: {containers: x}", "Pod x: spec.containers: Kubernetes accepts no string there"},
		{"kind: Pod\nmetadata: x", "metadata: Kubernetes accepts no string there"},
		{"kind: Pod\nspec: {}", "no name"},
		{"kind: Deployment\nmetadata: {name: x}", "no pod template"},
		{"kind: List\nitems: [{kind: Pod, metadata: {name: a}}, 7]", "item 2: want a Kubernetes object, got number"},
		{"kind: Pod\nmetadata: {name: x}\n---\na: [", "document 2"},
	} {
		code, out, log := decideText(t, tc.text)
		if code != 1 || !strings.Contains(log, tc.says) || strings.Contains(log, "Go ") || strings.Contains(log, "main.") {
			t.Errorf("%q: got exit %d, %q and %q; want 1 and %q", tc.text, code, out, log, tc.says)
		}
	}
}

func TestDecideReadsThePluginsSettingsFromAFile(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.json")
	must(t, os.WriteFile(keys, []byte(`{"exclude_namespaces":["shop"]}`), 0o644))
	if code, out, log := decideText(t, "kind: Pod\n"+meshedPod, "--plugin-config", "@"+keys); code != 0 || !strings.Contains(out, "row 3, namespace-excluded") {
		t.Errorf("got exit %d, %q %q; want the namespace excluded", code, out, log)
	}
	if code, _, log := decideText(t, "kind: Pod\n"+meshedPod, "--plugin-config", "@"+keys+".gone"); code != 1 || !strings.Contains(log, "no such file") {
		t.Errorf("got exit %d %q, want 1 and the file that is gone", code, log)
	}
}

// Whatever the manifest is, decide answers for each pod or says what is wrong
// with it, in words of Kubernetes.
func FuzzManifest(f *testing.F) {
	f.Add("kind: Pod\n" + meshedPod)
	f.Add("kind: List\nitems:\n- kind: Deployment\n  metadata: {name: x}\n  spec: {template: {spec: {hostNetwork: true}}}\n- kind: ConfigMap\n---\nnull\n")
	f.Add(`{"kind":"PodList","items":[{"metadata":{"generateName":"a-"},"spec":{"containers":[{"name":"istio-proxy","env":7}]}}]}`)
	config, err := (&decideOptions{}).config()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := readManifest([]byte(text))
		if err != nil && strings.Contains(err.Error(), "Go struct") {
			t.Errorf("got %v, want it without this program's words", err)
		}
		for _, s := range m.subjects {
			if text, _ := s.decide(config); !strings.HasSuffix(text, "\n") || s.pod.Namespace == "" || s.pod.Name == "" {
				t.Errorf("got %q for %+v, want a line for a pod with a name", text, s.pod)
			}
		}
	})
}
