package podsettings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// decode makes a pod from the interesting lines of a manifest.
func decode(t *testing.T, doc string) podapi.Pod {
	t.Helper()
	p, err := Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pod(annotations, proxy string) string {
	return fmt.Sprintf(`{"metadata":{"name":"a","namespace":"b","annotations":{%s}},
		"spec":{"containers":[{"name":"app"},{"name":"istio-proxy"%s}]}}`, annotations, proxy)
}

func value(sets []builder.Input, flag string) string {
	for _, s := range sets {
		if s.Flag == flag {
			return s.Value
		}
	}
	return "<absent>"
}

func TestEveryPlaceASettingCanStandIn(t *testing.T) {
	for _, c := range []struct{ name, annotations, proxy, flag, want string }{
		{"mode", `"sidecar.istio.io/interceptionMode":"TPROXY"`, "", modeFlag, "TPROXY"},
		{"mode absent", "", "", modeFlag, "REDIRECT"},
		{"mode empty is not given", `"sidecar.istio.io/interceptionMode":""`, "", modeFlag, "REDIRECT"},
		{"mode of the proxy config", `"proxy.istio.io/config":"interceptionMode: TPROXY"`, "", modeFlag, "TPROXY"},
		{"mode annotation before proxy config", `"sidecar.istio.io/interceptionMode":"NONE","proxy.istio.io/config":"interceptionMode: TPROXY"`, "", modeFlag, "NONE"},
		{"included ranges absent", "", "", "istio-service-cidr", "*"},
		{"included ranges empty means none", `"traffic.sidecar.istio.io/includeOutboundIPRanges":""`, "", "istio-service-cidr", ""},
		{"included ranges", `"traffic.sidecar.istio.io/includeOutboundIPRanges":"192.0.2.0/24"`, "", "istio-service-cidr", "192.0.2.0/24"},
		{"excluded ranges", `"traffic.sidecar.istio.io/excludeOutboundIPRanges":"192.0.2.0/24"`, "", "istio-service-exclude-cidr", "192.0.2.0/24"},
		{"included outbound ports", `"traffic.sidecar.istio.io/includeOutboundPorts":"9000"`, "", "istio-outbound-ports", "9000"},
		{"excluded outbound ports", `"traffic.sidecar.istio.io/excludeOutboundPorts":"9000"`, "", "istio-local-outbound-ports-exclude", "9000"},
		{"included inbound ports absent", "", "", "istio-inbound-ports", "*"},
		{"included inbound ports empty means none", `"traffic.sidecar.istio.io/includeInboundPorts":""`, "", "istio-inbound-ports", ""},
		{"excluded inbound ports absent", "", "", excludeInbound, "15020,15021,15090"},
		{"excluded inbound ports empty", `"traffic.sidecar.istio.io/excludeInboundPorts":""`, "", excludeInbound, "15020,15021,15090"},
		{"excluded inbound ports of the proxy, in their order", `"traffic.sidecar.istio.io/excludeInboundPorts":"15090, 15020,"`, "", excludeInbound, "15090,15020,15021"},
		{"excluded inbound ports all, which is refused as it was written", `"traffic.sidecar.istio.io/excludeInboundPorts":"*"`, "", excludeInbound, "*"},
		{"excluded inbound ports gain the proxy's own", `"traffic.sidecar.istio.io/excludeInboundPorts":"22"`, "", excludeInbound, "22,15020,15021,15090"},
		{"excluded interfaces", `"traffic.sidecar.istio.io/excludeInterfaces":"net1"`, "", "istio-exclude-interfaces", "net1"},
		{"virtual interfaces", `"istio.io/reroute-virtual-interfaces":"k6t-eth0"`, "", "kube-virt-interfaces", "k6t-eth0"},
		{"virtual interfaces, older name", `"traffic.sidecar.istio.io/kubevirtInterfaces":"tap0"`, "", "kube-virt-interfaces", "tap0"},
		{"virtual interfaces, both", `"traffic.sidecar.istio.io/kubevirtInterfaces":"tap0","istio.io/reroute-virtual-interfaces":"k6t"`, "", "kube-virt-interfaces", "k6t"},
		{"exclusion for uids", `"sluice.sluicemesh.io/excludeOutboundPortsForUIDs":"tcp:443:1000"`, "", "exclude-outbound-ports-for-uids", "tcp:443:1000"},
		{"families", `"sluice.sluicemesh.io/ip-families":"v4"`, "", "ip-families", "v4"},
		{"DNS capture", "", `,"env":[{"name":"ISTIO_META_DNS_CAPTURE","value":"true"}]`, redirectDNS, "true"},
		{"DNS capture takes every resolver", "", `,"env":[{"name":"ISTIO_META_DNS_CAPTURE","value":"true"}]`, "capture-all-dns", "true"},
		{"DNS capture off takes none", "", `,"env":[{"name":"ISTIO_META_DNS_CAPTURE","value":"false"}]`, "capture-all-dns", "<absent>"},
		{"DNS capture that is no boolean takes none", "", `,"env":[{"name":"ISTIO_META_DNS_CAPTURE","value":"yes"}]`, "capture-all-dns", "<absent>"},
		{"DNS capture by metadata", `"proxy.istio.io/config":"proxyMetadata: {ISTIO_META_DNS_CAPTURE: true}"`, "", redirectDNS, "true"},
		{"env before metadata", `"proxy.istio.io/config":"proxyMetadata: {INVALID_DROP: 'true'}"`, `,"env":[{"name":"INVALID_DROP","value":"false"}]`, "drop-invalid", "false"},
		{"empty variable before metadata", `"proxy.istio.io/config":"proxyMetadata: {INVALID_DROP: 'true'}"`, `,"env":[{"name":"INVALID_DROP","value":""}]`, "drop-invalid", "<absent>"},
		{"the last of two variables", "", `,"env":[{"name":"INVALID_DROP","value":"false"},{"name":"INVALID_DROP","value":"true"}]`, "drop-invalid", "true"},
		{"empty variable is not given", "", `,"env":[{"name":"INVALID_DROP","value":""}]`, "drop-invalid", "<absent>"},
		{"dual stack", "", `,"env":[{"name":"ISTIO_DUAL_STACK","value":"true"}]`, "dual-stack", "true"},
		{"owner groups", "", `,"env":[{"name":"ISTIO_OUTBOUND_OWNER_GROUPS","value":"1000"}]`, "owner-groups", "1000"},
		{"excluded owner groups", "", `,"env":[{"name":"ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE","value":"1000"}]`, "owner-groups-exclude", "1000"},
		{"loopback range", "", `,"env":[{"name":"ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR","value":"127.0.0.0/8"}]`, "loopback-cidr", "127.0.0.0/8"},
		{"backend", "", `,"env":[{"name":"SLUICE_BACKEND","value":"legacy"}]`, "backend", "legacy"},
		{"uid of the container", "", `,"securityContext":{"runAsUser":1500}`, "proxy-uid", "1500"},
		{"gid of the container", "", `,"securityContext":{"runAsGroup":1501}`, "proxy-gid", "1501"},
		{"root counts as the default", "", `,"securityContext":{"runAsUser":0,"runAsGroup":0}`, "proxy-uid", "1337"},
		{"uid absent", "", "", "proxy-uid", "1337"},
		{"null is absent", "", `,"env":[{"name":"INVALID_DROP","value":"true","valueFrom":null}]`, "drop-invalid", "true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sets, errs := Of(decode(t, pod(c.annotations, c.proxy)))
			if len(errs) > 0 {
				t.Fatalf("got errors %v", errs)
			}
			if got := value(sets, c.flag); got != c.want {
				t.Errorf("%s: got %q, want %q", c.flag, got, c.want)
			}
		})
	}
}

func TestABooleanThatIsNoneSwitchesNothingOff(t *testing.T) {
	p := podapi.Pod{
		Annotations: map[string]string{podapi.InjectKey: "flase"},
		Containers:  []podapi.Container{{Name: podapi.ProxyName, Env: []podapi.Env{{Name: "DISABLE_ENVOY", Value: "ture"}}}},
	}
	if InjectionOff(p) || EnvoyDisabled(p) {
		t.Errorf("injection off %v, Envoy disabled %v, want false and false", InjectionOff(p), EnvoyDisabled(p))
	}
}

func TestALongProxyConfigIsShortenedInItsError(t *testing.T) {
	for text, want := range map[string]string{
		"[" + strings.Repeat("x", 79): "[" + strings.Repeat("x", 79),
		"[" + strings.Repeat("x", 80): "[" + strings.Repeat("x", 79) + "…",
	} {
		_, errs := Of(podapi.Pod{Annotations: map[string]string{proxyConfigKey: text}})
		var p *builder.Problem
		if len(errs) != 1 || !errors.As(errs[0], &p) || p.Value != want {
			t.Errorf("%d bytes: got %v, want one error with the value %q", len(text), errs, want)
		}
	}
}

func TestProxyTakesThePodsIdentityWhereItsOwnIsSilent(t *testing.T) {
	p := decode(t, `{"spec":{"securityContext":{"runAsUser":2000,"runAsGroup":2001},
		"containers":[{"name":"istio-proxy","securityContext":{"runAsUser":1500}}]}}`)
	sets, errs := Of(p)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got := value(sets, "proxy-uid") + " " + value(sets, "proxy-gid"); got != "1500 2001" {
		t.Errorf("got uid and gid %s, want 1500 2001", got)
	}
}

func TestOneSettingPerFlag(t *testing.T) {
	sets, _ := Of(decode(t, pod(`"proxy.istio.io/config":"{\"interceptionMode\":\"TPROXY\"}","sidecar.istio.io/interceptionMode":"REDIRECT"`, "")))
	seen := map[string]bool{}
	for _, s := range sets {
		if seen[s.Flag] {
			t.Errorf("flag %s is set twice in %v", s.Flag, sets)
		}
		seen[s.Flag] = true
		if s.Origin == "" {
			t.Errorf("flag %s has no origin", s.Flag)
		}
	}
}

func TestValuesThatCannotBeReadAreReportedTogether(t *testing.T) {
	p := decode(t, pod(`"proxy.istio.io/config":"a: [b"`, `,"securityContext":{"runAsUser":4294967296,"runAsGroup":-1},
		"env":[{"name":"ISTIO_META_DNS_CAPTURE","valueFrom":{"configMapKeyRef":{"name":"x","key":"y"}}},
		{"name":"DISABLE_ENVOY","valueFrom":{}},{"name":"PATH","valueFrom":{}}]`))
	_, errs := Of(p)
	text := errors.Join(errs...).Error()
	for _, want := range []string{"proxy.istio.io/config", "runAsUser", "runAsGroup", "ISTIO_META_DNS_CAPTURE", "DISABLE_ENVOY"} {
		if !strings.Contains(text, want) {
			t.Errorf("no error names %s in:\n%s", want, text)
		}
	}
	if len(errs) != 5 {
		t.Errorf("got %d errors, want 5:\n%s", len(errs), text)
	}
	for _, err := range errs {
		var p *builder.Problem
		if !errors.As(err, &p) || p.Flag == "" || p.Reason == "" || p.Accepted == "" {
			t.Errorf("error without reason or accepted form: %v", err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		want      []Kind
	}{
		{"plain pod", pod("", ""), nil},
		{"init container before a plain proxy", `{"spec":{"initContainers":[{"name":"migrate"},{"name":"istio-validation"}],"containers":[{"name":"istio-proxy"}]}}`, []Kind{InitBeforeProxy}},
		{"init container before a native sidecar", `{"spec":{"initContainers":[{"name":"early"},{"name":"istio-proxy"},{"name":"late"}]}}`, []Kind{InitBeforeProxy}},
		{"container with the proxy's uid", `{"spec":{"containers":[{"name":"app","securityContext":{"runAsUser":1337}},{"name":"istio-proxy"}]}}`, []Kind{BypassesProxy}},
		{"container with the proxy's gid", `{"spec":{"containers":[{"name":"app","securityContext":{"runAsGroup":7}},{"name":"istio-proxy","securityContext":{"runAsGroup":7}}]}}`, []Kind{BypassesProxy}},
		{"pod-wide uid is every container's", `{"spec":{"securityContext":{"runAsUser":1500},"containers":[{"name":"app"},{"name":"istio-proxy"}]}}`, []Kind{BypassesProxy}},
		{"validation container shares the uid on purpose", `{"spec":{"initContainers":[{"name":"istio-validation","securityContext":{"runAsUser":1337}}],"containers":[{"name":"istio-proxy"}]}}`, nil},
		{"init container that installs rules itself", `{"spec":{"initContainers":[{"name":"istio-init","securityContext":{"runAsUser":1337}}],"containers":[{"name":"istio-proxy"}]}}`, nil},
		{"several unknown annotations", pod(`"traffic.sidecar.istio.io/e":"","sluice.sluicemesh.io/b":"","traffic.sidecar.istio.io/c":"","traffic.sidecar.istio.io/d":"","sluice.sluicemesh.io/a":"","unlike/ours":""`, ""), slices.Repeat([]Kind{UnknownAnnotation}, 5)},
		{"annotation that sounds like another", pod(`"istio.io/redirect-virtual-interfaces":"x","istio.io/reroute-virtual-interfaces":"y"`, ""), []Kind{UnknownAnnotation}},
		{"misspelt annotation", pod(`"traffic.sidecar.istio.io/excludeOutboundPort":"1"`, ""), []Kind{UnknownAnnotation}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []Kind
			warnings := Warnings(decode(t, c.doc))
			for _, w := range warnings {
				got = append(got, w.Kind)
			}
			if !slices.IsSortedFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Text, b.Text) }) {
				t.Errorf("warnings of one kind are not in order: %v", warnings)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheSocketKeepsTheVariablesThatAreReadAndNoOthers(t *testing.T) {
	read := []string{disableEnvoy}
	for _, n := range Names() {
		if n.Env != "" {
			read = append(read, n.Env)
		}
	}
	for _, name := range read {
		if !podapi.KeepEnv(name) {
			t.Errorf("%s is read and not kept: the node agent hides it", name)
		}
		if podapi.KeepEnv(name + "X") {
			t.Errorf("%sX is kept and not read", name)
		}
	}
	for _, name := range []string{"ISTIO_META_SECRET", "ISTIO_META_", "PROXY_CONFIG", "ISTIO_OUTBOUND_X", "ISTIO_INBOUND_X", "SLUICE_X", "CAPTURE_ALL_DNS", ""} {
		if podapi.KeepEnv(name) {
			t.Errorf("%q is kept and not read", name)
		}
	}
	p := decode(t, pod("", `,"env":[{"name":"ISTIO_META_SECRET","value":"hunter2"},{"name":"PROXY_CONFIG","value":"{\"token\":\"hunter2\"}"},{"name":"INVALID_DROP","value":"1"}]`))
	if got, want := fmt.Sprint(p.Containers), "[{app false  [] <nil> <nil>} {istio-proxy false  [{INVALID_DROP 1 false}] <nil> <nil>}]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAProxyConfigOfAnotherTypeIsRefusedWithoutTheProgramsTypes(t *testing.T) {
	for text, want := range map[string]string{
		"[]":                              "line 1: cannot use !!seq",
		"x":                               "line 1: cannot use !!str `x`",
		"interceptionMode: {a: ' into '}": "line 1: cannot use !!map",
		"interceptionMode: []\nproxyMetadata: {a: []}": "line 1: cannot use !!seq; line 2: cannot use !!seq",
		"a into b":   "line 1: cannot use !!str `a into b`",
		"a: 1\na: 2": `line 2: mapping key "a" already defined at line 1`,
		"{":          "yaml: line 1: did not find expected node content",
	} {
		_, errs := Of(podapi.Pod{Annotations: map[string]string{proxyConfigKey: text}})
		var p *builder.Problem
		if len(errs) != 1 || !errors.As(errs[0], &p) || p.Reason != want {
			t.Errorf("%q: got %v, want one error with the reason %q", text, errs, want)
		}
	}
}

func TestAnAnnotationThatSoundsLikeAnotherIsToldWhichOneIsRead(t *testing.T) {
	got := Warnings(podapi.Pod{Annotations: map[string]string{"istio.io/redirect-virtual-interfaces": "x"}})
	want := "annotation istio.io/redirect-virtual-interfaces is not known and has no effect; istio.io/reroute-virtual-interfaces is read"
	if len(got) != 1 || got[0].Text != want {
		t.Errorf("got %v, want %q", got, want)
	}
}

func TestDecodeKeepsOnlyWhatADecisionReads(t *testing.T) {
	p := decode(t, `{"metadata":{"uid":"u","labels":{"app":"x","sidecar.istio.io/inject":"true"},
		"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","kubernetes.io/config.hash":"h"}},
		"spec":{"hostUsers":false,"containers":[{"name":"istio-proxy","args":["proxy","router"],"env":[{"name":"SECRET","value":"s"}]},
		{"name":"app","env":[{"name":"INVALID_DROP","value":"true"}]}]}}`)
	got := fmt.Sprintln(p.Labels, p.Annotations, p.ConfigHash, p.Is("h"), *p.HostUsers, p.Containers[0].ProxyType, p.Containers[0].Env, p.Containers[1].Env)
	want := "map[sidecar.istio.io/inject:true] map[] h true false router [] []\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
