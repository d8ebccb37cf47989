package netconf

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, doc string) Config {
	t.Helper()
	c, err := Parse([]byte(doc))
	if err != nil {
		t.Fatalf("Parse(%s): %v", doc, err)
	}
	return c
}

func TestDefaultsOfAnEmptyConfig(t *testing.T) {
	c := parse(t, `{}`)
	got := fmt.Sprint(c.LogLevel, c.Socket, c.Timeout, c.AgentRequired, c.ExcludeNamespaces, c.Strict, c.AllowArgs, c.HasStatic, c.AnnotationsKnown, len(c.Settings))
	want := fmt.Sprint("info", "/run/sluice/node.sock", 10*time.Second, Meshed, []string{"kube-system", "sluice-system"}, false, false, false, false, 0)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryKeyInBothSpellings(t *testing.T) {
	for _, c := range []struct {
		doc  string
		got  func(Config) any
		want any
	}{
		{`{"log_level":"debug"}`, func(c Config) any { return c.LogLevel }, "debug"},
		{`{"plugin_log_level":"default:warn"}`, func(c Config) any { return c.LogLevel }, "warn"},
		{`{"plugin_log_level":"error","log_level":"debug"}`, func(c Config) any { return c.LogLevel }, "debug"},
		{`{"log_file":"/var/log/x"}`, func(c Config) any { return c.LogFile }, "/var/log/x"},
		{`{"agent_socket":"/run/x.sock"}`, func(c Config) any { return c.Socket }, "/run/x.sock"},
		{`{"cni_agent_run_dir":"/run/y"}`, func(c Config) any { return c.Socket }, "/run/y/node.sock"},
		{`{"exclude_namespaces":["a","b"]}`, func(c Config) any { return c.ExcludeNamespaces }, []string{"a", "b"}},
		{`{"exclude_namespaces":[]}`, func(c Config) any { return c.ExcludeNamespaces }, []string{}},
		{`{"kubernetes":{"exclude_namespaces":["k"],"kubeconfig":"x"}}`, func(c Config) any { return c.ExcludeNamespaces }, []string{"k"}},
		{`{"backend":"nft"}`, func(c Config) any { return c.Settings }, "[{backend nft network config key backend}]"},
		{`{"native_nftables":true}`, func(c Config) any { return c.Settings }, "[{native-nftables true network config key native_nftables}]"},
		{`{"ip_families":"dual"}`, func(c Config) any { return c.Settings }, "[{ip-families dual network config key ip_families}]"},
		{`{"ports":{"outbound":1,"inbound":"2","tunnel":3}}`, func(c Config) any { return c.Settings },
			"[{inbound-capture-port 2 network config key ports.inbound} {envoy-port 1 network config key ports.outbound} {inbound-tunnel-port 3 network config key ports.tunnel}]"},
		{`{"agent_required":"always"}`, func(c Config) any { return c.AgentRequired }, Always},
		{`{"timeout":"3s"}`, func(c Config) any { return c.Timeout }, 3 * time.Second},
		{`{"strict":true}`, func(c Config) any { return c.Strict }, true},
		{`{"allow_args":true}`, func(c Config) any { return c.AllowArgs }, true},
		{`{"interception":{"proxy-uid":1,"istio-inbound-ports":[80,"443"],"drop-invalid":true}}`, func(c Config) any { return c.Static },
			"[{drop-invalid true network config key interception.drop-invalid} {istio-inbound-ports 80,443 network config key interception.istio-inbound-ports} {proxy-uid 1 network config key interception.proxy-uid}]"},
		{`{"interception":{}}`, func(c Config) any { return c.HasStatic }, true},
		{`{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":"b"}}}`, func(c Config) any { return c.Annotations["a"] }, "b"},
		{`{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":"b"}}}`, func(c Config) any { return c.AnnotationsKnown }, true},
		{`{"runtimeConfig":{"portMappings":[]}}`, func(c Config) any { return c.AnnotationsKnown }, false},
		{`{"prevResult":{"cniVersion":"1.0.0", "x":1}}`, func(c Config) any { return string(c.PrevResult) }, `{"cniVersion":"1.0.0", "x":1}`},
		{`{"prevResult":null}`, func(c Config) any { return len(c.PrevResult) }, 0},
	} {
		cfg := parse(t, c.doc)
		if got, want := fmt.Sprint(c.got(cfg)), fmt.Sprint(c.want); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.doc, got, want)
		}
		if len(cfg.Problems) > 0 {
			t.Errorf("%s: got problems %v, want none", c.doc, cfg.Problems)
		}
	}
}

func TestBadValuesOfKnownKeysWaitAndAreCollected(t *testing.T) {
	c := parse(t, `{"log_level":"loud","log_file":"x","agent_socket":"x","exclude_namespaces":"a","agent_required":"no",
		"timeout":"1h","strict":"yes","allow_args":1,"backend":null,"ip_families":{},"ports":{"other":1,"inbound":[]},
		"interception":[],"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":1}},"prevResult":"x","kubernetes":{"exclude_namespaces":5}}`)
	text := errors.Join(c.Problems...).Error()
	for _, place := range []string{
		"log_level", "log_file", "agent_socket", "exclude_namespaces", "agent_required", "timeout", "strict", "allow_args", "backend",
		"ip_families", "ports.other", "ports.inbound", "interception", "runtimeConfig.io.kubernetes.cri.pod-annotations", "prevResult", "kubernetes.exclude_namespaces",
	} {
		if !strings.Contains(text, Origin+place+": ") {
			t.Errorf("no problem names %s in:\n%s", place, text)
		}
	}
	if got, want := len(c.Problems), 16; got != want {
		t.Errorf("got %d problems, want %d:\n%s", got, want, text)
	}
	if c.Timeout != DefaultTimeout || c.AgentRequired != Meshed || c.AnnotationsKnown {
		t.Errorf("a bad value must leave the default: %+v", c)
	}
}

func TestUnknownAndAmbientKeysAreWarnings(t *testing.T) {
	c := parse(t, `{"zzz":1,"ambient_enabled":true,"cniVersion":"1.0.0","name":"n","type":"sluice-cni","capabilities":{},"dns":{}}`)
	want := []string{"network config key ambient_enabled is accepted and ignored", "network config key zzz is not known and has no effect"}
	if strings.Join(c.Warnings, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", c.Warnings, want)
	}
	if Known("zzz") || !Known("ambient_enabled") || !Known("log_level") {
		t.Error("Known must know ambient_enabled and log_level, and not zzz")
	}
}

func TestAnEmptySetOfAnnotationsDoesNotCountAndThatIsSaid(t *testing.T) {
	for _, empty := range []string{`{}`, `null`} {
		c := parse(t, `{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":`+empty+`}}`)
		if c.AnnotationsKnown || len(c.Annotations) > 0 || len(c.Problems) > 0 {
			t.Errorf("%s: got known %v, %v, problems %v; want nothing known", empty, c.AnnotationsKnown, c.Annotations, c.Problems)
		}
		if got, want := fmt.Sprint(c.Warnings), "[network config key runtimeConfig: the annotations are empty, as kubelet never hands them over, and do not count]"; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", empty, got, want)
		}
	}
}

func TestWhatIsNoObjectIsAnError(t *testing.T) {
	const none = "network config is no JSON object: "
	for doc, want := range map[string]string{
		"": none, "{": none, "[]": none + "it is of the type array", "null": "network config is null", `"x"`: none + "it is of the type string", "{} {}": none,
	} {
		c, err := Parse([]byte(doc))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "Go value") {
			t.Errorf("Parse(%q): got %v, want %s", doc, err, want)
		}
		if got, want := fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", parse(t, `{}`)); got != want {
			t.Errorf("Parse(%q): got\n%s\nwant the defaults\n%s", doc, got, want)
		}
	}
}

func TestArgs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "{Namespace: Name: UID: SandboxID: Config: HasConfig:false} false"},
		{"IgnoreUnknown=1;K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;K8S_POD_UID=u;K8S_POD_INFRA_CONTAINER_ID=s;X=y", "{Namespace:n Name:p UID:u SandboxID:s Config: HasConfig:false} true"},
		{"SLUICE_CONFIG=e30;", "{Namespace: Name: UID: SandboxID: Config:e30 HasConfig:true} false"},
		{"IgnoreUnknown=1;K8S_POD_NAME=c", "{Namespace: Name:c UID: SandboxID: Config: HasConfig:false} false"}, // podman
		{"K8S_POD_NAMESPACE=n", "{Namespace:n Name: UID: SandboxID: Config: HasConfig:false} false"},
		{"X=a=b", "{Namespace: Name: UID: SandboxID: Config: HasConfig:false} false"},
	} {
		a, err := ParseArgs(c.text)
		if got := fmt.Sprintf("%+v %v", a, a.Kubernetes()); err != nil || got != c.want {
			t.Errorf("%q:\ngot  %s, %v\nwant %s", c.text, got, err, c.want)
		}
	}
	if _, err := ParseArgs("x=" + strings.Repeat("y", 16<<10-2)); err != nil {
		t.Errorf("16384 bytes: got %v, want them read", err)
	}
	for text, want := range map[string]string{
		"a=b;x":                              `CNI_ARGS: "x" is not NAME=VALUE`,
		"x=" + strings.Repeat("y", 16<<10-1): "CNI_ARGS has 16385 bytes, more than 16384",
	} {
		if a, err := ParseArgs(text); err == nil || err.Error() != want || a != (Args{}) {
			t.Errorf("ParseArgs(%.20q): got %+v, %v; want nothing and %s", text, a, err, want)
		}
	}
}

func TestSluiceConfig(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	sets, errs := Args{Config: encode([]byte(`{"proxy-uid":"7","istio-service-cidr":"*"}`))}.Settings()
	if got, want := fmt.Sprint(sets, errs), "[{istio-service-cidr * CNI_ARGS SLUICE_CONFIG.istio-service-cidr} {proxy-uid 7 CNI_ARGS SLUICE_CONFIG.proxy-uid}] []"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const largest = 6 << 10 // is 8 KiB in base64
	if sets, errs := (Args{Config: encode(fmt.Appendf(nil, "%-*s", largest, `{"proxy-uid":7}`))}).Settings(); len(sets) != 1 || len(errs) > 0 {
		t.Errorf("8192 bytes: got %v, %v; want one setting", sets, errs)
	}
	const encoding = "CNI_ARGS SLUICE_CONFIG is not base64url without padding: illegal base64 data at input byte "
	for config, want := range map[string]string{
		"e30=":                        encoding + "3",
		"{}":                          encoding + "0",
		encode([]byte(" [] ")):        "CNI_ARGS SLUICE_CONFIG: [] is not accepted (want an object of settings, named like the flags of sluice apply)",
		encode([]byte(`{"a":{}}`)):    "CNI_ARGS SLUICE_CONFIG.a: {} is not accepted (want a plain value or a list of them)",
		encode(make([]byte, 6<<10+1)): "CNI_ARGS SLUICE_CONFIG has 8194 bytes, more than 8192",
		strings.Repeat("e", 8<<10+1):  "CNI_ARGS SLUICE_CONFIG has 8193 bytes, more than 8192",
	} {
		if sets, errs := (Args{Config: config}).Settings(); len(sets) > 0 || len(errs) != 1 || errs[0].Error() != want {
			t.Errorf("%.20q:\ngot  %v, %v\nwant %s", config, sets, errs, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"interception":{"a":[1,"2"]},"ports":{"inbound":1}}`)
	f.Add(`{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":"b"}}}`)
	f.Fuzz(func(t *testing.T, doc string) {
		c, err := Parse([]byte(doc))
		if err == nil && (c.Timeout < MinTimeout || c.Timeout > MaxTimeout || c.Socket == "") {
			t.Errorf("out of bounds: %+v", c)
		}
	})
}

func FuzzArgs(f *testing.F) {
	f.Add("K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;SLUICE_CONFIG=e30")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseArgs(text)
		if err == nil && a.HasConfig {
			a.Settings()
		}
	})
}
