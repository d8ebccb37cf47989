package podsettings

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/answers.txt anew")

// pods are manifests whose reading a person has looked at, once, in
// testdata/answers.txt.
func pods() []string {
	proxy := func(annotations, more string) string {
		return `{"metadata":{"namespace":"shop","name":"cart","uid":"u","annotations":{` + annotations + `}},"spec":{"containers":[{"name":"app"},{"name":"istio-proxy"` + more + `}]}}`
	}
	return []string{
		`[`, `7`, `{}`,
		`{"metadata":{"namespace":"a","name":"b","uid":"c","labels":{"sidecar.istio.io/inject":"true","x":"y"},"annotations":{"kubernetes.io/config.hash":"h","foreign":"z"}},"spec":{"hostNetwork":true,"hostUsers":false,"securityContext":{"runAsUser":5,"runAsGroup":6},"initContainers":[{"name":"one","restartPolicy":"Always"},{"name":"two","restartPolicy":"Never"}],"containers":[{"name":"istio-proxy","args":["proxy","router"]}]}}`,
		proxy(``, `,"args":["run","sidecar"]`), proxy(``, `,"args":["proxy"]`), proxy(``, `,"args":["proxy","sidecar"]`),
		proxy(``, `,"securityContext":{"runAsUser":0,"runAsGroup":1}`), proxy(``, `,"securityContext":{"runAsUser":-1}`), proxy(``, `,"securityContext":{"runAsUser":4294967295}`), proxy(``, `,"securityContext":{"runAsUser":4294967296}`), proxy(``, `,"securityContext":{"runAsGroup":4294967296}`),
		proxy(``, `,"env":[{"name":"ISTIO_META_DNS_CAPTURE","value":"true"},{"name":"INVALID_DROP","value":"1"},{"name":"HOME","value":"/"}]`),
		proxy(``, `,"env":[{"name":"ISTIO_META_DNS_CAPTURE","valueFrom":{"fieldRef":{}}},{"name":"INVALID_DROP","valueFrom":null}]`),
		proxy(`"sidecar.istio.io/interceptionMode":"TPROXY","traffic.sidecar.istio.io/excludeOutboundPorts":"1,2","traffic.sidecar.istio.io/includeInboundPorts":""`, ``),
		proxy(`"istio.io/reroute-virtual-interfaces":"a","traffic.sidecar.istio.io/kubevirtInterfaces":"b"`, ``), proxy(`"traffic.sidecar.istio.io/kubevirtInterfaces":"b"`, ``),
		proxy(`"traffic.sidecar.istio.io/excludeOutbondPorts":"1"`, ``), proxy(`"sidecar.istio.io/interceptionMode":"none"`, ``),
		proxy(`"proxy.istio.io/config":"interceptionMode: TPROXY\nproxyMetadata:\n  ISTIO_META_DNS_CAPTURE: 'true'\n  INVALID_DROP: true\n  OTHER: [1]\n"`, ``),
		proxy(`"proxy.istio.io/config":"interceptionMode: TPROXY\nproxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true', INVALID_DROP: true, '': 7}"`, ``),
		proxy(`"proxy.istio.io/config":"a: &m NONE\ninterceptionMode: *m"`, ``), proxy(`"proxy.istio.io/config":"interceptionMode: null"`, ``), proxy(`"proxy.istio.io/config":"interceptionMode: [NONE]"`, ``),
		proxy(`"proxy.istio.io/config":"proxyMetadata: 7"`, ``), proxy(`"proxy.istio.io/config":"a: [`+strings.Repeat("x", 300)+`"`, ``), proxy(`"proxy.istio.io/config":""`, ``),
		proxy(`"sidecar.istio.io/inject":"false","sidecar.istio.io/status":"{}"`, ``),
		`{"metadata":{"name":"n"},"spec":{"securityContext":{"runAsUser":1337},"initContainers":[{"name":"setup","securityContext":{"runAsUser":1000}},{"name":"other"}],"containers":[{"name":"istio-proxy","securityContext":{"runAsUser":1337}},{"name":"app"},{"name":"b","securityContext":{"runAsUser":1,"runAsGroup":1337}}]}}`,
		`{"metadata":{"name":"n"},"spec":{"initContainers":[{"name":"istio-proxy","restartPolicy":"Always"},{"name":"late"}],"containers":[{"name":"app"}]}}`,
		`{"metadata":{"name":"n"},"spec":{"securityContext":{"runAsUser":-5},"containers":[{"name":"istio-proxy"}]}}`,
	}
}

func TestPodsAreReadAsAPersonHasSeen(t *testing.T) {
	var b strings.Builder
	for _, doc := range pods() {
		fmt.Fprintf(&b, "%s\n", doc)
		p, err := Decode([]byte(doc))
		if err != nil {
			fmt.Fprintf(&b, "\trefused: %v\n", err)
			continue
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\tpod: %s\n\tinjected %v, injection off %v, envoy disabled %v, mode %q\n", text, Injected(p.Annotations), InjectionOff(p), EnvoyDisabled(p), Mode(p))
		inputs, errs := Of(p)
		for _, in := range inputs {
			fmt.Fprintf(&b, "\tsetting: %+v\n", in)
		}
		for _, err := range errs {
			fmt.Fprintf(&b, "\terror: %v\n", err)
		}
		for _, w := range Warnings(p) {
			fmt.Fprintf(&b, "\twarning: %+v\n", w)
		}
	}
	for _, n := range Names() {
		fmt.Fprintf(&b, "name: %+v\n", n)
	}
	const path = "testdata/answers.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(lines)) {
		if got[i] != lines[i] {
			t.Fatalf("%s, line %d:\n got %s\nwant %s", path, i+1, got[i], lines[i])
		}
	}
	if len(got) != len(lines) {
		t.Fatalf("got %d lines, want %d", len(got), len(lines))
	}
}
