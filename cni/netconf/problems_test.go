package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestABadValueIsNamedWithWhatIsAcceptedAndChangesNothing(t *testing.T) {
	const (
		levels     = "debug, info, warn or error"
		truth      = "true or false"
		absolutes  = "an absolute path"
		namespaces = "a list of namespaces"
		plains     = "a plain value"
		ports      = "an object with outbound, inbound and tunnel"
		settings   = "an object of settings, named like the flags of sluice apply"
	)
	for _, c := range []struct {
		key, accepted string
		values        []string
	}{
		{"cniVersion", "a version", []string{`null`, `1`}},
		{"name", "a name", []string{`null`, `[]`}},
		{"type", "a name", []string{`null`, `{}`}},
		{"log_level", levels, []string{`null`, `"loud"`, `""`, `1`, `"debug:"`}},
		{"plugin_log_level", levels, []string{`null`, `"default:loud"`, `"info:cni"`}},
		{"log_file", "an absolute path, or empty for none", []string{`null`, `"x"`, `"./x"`, `1`}},
		{"agent_socket", absolutes, []string{`null`, `""`, `"x"`, `1`}},
		{"cni_agent_run_dir", absolutes, []string{`null`, `""`, `"x"`}},
		{"exclude_namespaces", namespaces, []string{`null`, `"a"`, `["a",1]`, `{}`}},
		{"agent_required", "never, meshed or always", []string{`null`, `""`, `"no"`, `"Never"`, `1`}},
		{"timeout", `a duration from 100ms to 3m0s, like "10s"`, []string{`null`, `""`, `10`, `"10"`, `"99.9ms"`, `"180.1s"`, `"1h"`, `"-5s"`, `"soon"`}},
		{"strict", truth, []string{`null`, `"yes"`, `"true"`, `1`}},
		{"allow_args", truth, []string{`null`, `"false"`, `0`}},
		{"backend", plains, []string{`null`, `[]`, `["nft"]`, `{}`}},
		{"ip_families", plains, []string{`null`, `{}`}},
		{"native_nftables", plains, []string{`null`, `[true]`}},
		{"ports", ports, []string{`null`, `[]`, `15001`}},
		{"interception", settings, []string{`null`, `[]`, `"x"`, `1`}},
		{"kubernetes", "an object", []string{`5`, `[]`, `"x"`}},
		{"runtimeConfig", "an object", []string{`5`, `[]`, `"x"`}},
		{"prevResult", "an object", []string{`5`, `[]`, `"{}"`, `false`}},
	} {
		for _, v := range c.values {
			refused(t, fmt.Sprintf(`{%q: %s }`, c.key, v), Problem{"network config key " + c.key, v, c.accepted})
		}
	}
}

func TestABadFieldOfAnObjectIsNamedWithItsPlace(t *testing.T) {
	const port = "outbound, inbound or tunnel with a port number"
	for _, c := range []struct{ doc, place, value, accepted string }{
		{`{"ports":{"other": 1 }}`, "ports.other", `1`, port},
		{`{"ports":{"inbound": [] }}`, "ports.inbound", `[]`, port},
		{`{"ports":{"tunnel":null}}`, "ports.tunnel", `null`, port},
		{`{"interception":{"proxy-uid": {} }}`, "interception.proxy-uid", `{}`, "a plain value or a list of them"},
		{`{"kubernetes":{"exclude_namespaces":5}}`, "kubernetes.exclude_namespaces", `5`, "a list of namespaces"},
		{`{"runtimeConfig":{"io.kubernetes.cri.pod-annotations": {"a":1} }}`, "runtimeConfig.io.kubernetes.cri.pod-annotations", `{"a":1}`, "an object of strings"},
		{`{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":"b","c":2}}}`, "runtimeConfig.io.kubernetes.cri.pod-annotations", `{"a":"b","c":2}`, "an object of strings"},
	} {
		refused(t, c.doc, Problem{"network config key " + c.place, c.value, c.accepted})
	}
}

// refused expects one problem, and everything else as in an empty
// configuration.
func refused(t *testing.T, doc string, want Problem) {
	t.Helper()
	got := parse(t, doc)
	if problems := fmt.Sprint(got.Problems); problems != fmt.Sprint([]error{&want}) {
		t.Errorf("%s:\ngot  %s\nwant [%v]", doc, problems, &want)
	}
	got.Problems = nil
	got.HasStatic = false // said even of bad settings: what they were is not known
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", parse(t, `{}`)); g != w {
		t.Errorf("%s changes\n%s\nto\n%s", doc, w, g)
	}
}

func TestValuesAtTheEdgeOfWhatIsAccepted(t *testing.T) {
	for _, c := range []struct {
		doc  string
		got  func(Config) any
		want string
	}{
		{`{"timeout":"100ms"}`, func(c Config) any { return c.Timeout }, "100ms"},
		{`{"timeout":"3m"}`, func(c Config) any { return c.Timeout }, "3m0s"},
		{`{"log_file":""}`, func(c Config) any { return c.LogFile }, ""},
		{`{"log_level":"WARN"}`, func(c Config) any { return c.LogLevel }, "warn"},
		{`{"log_level":"debug","plugin_log_level":"error"}`, func(c Config) any { return c.LogLevel }, "debug"},
		{`{"log_level":"info"}`, func(c Config) any { return c.LogLevel }, "info"},
		{`{"agent_required":"never"}`, func(c Config) any { return c.AgentRequired }, "never"},
		{`{"agent_required":"meshed"}`, func(c Config) any { return c.AgentRequired }, "meshed"},
		{`{"kubernetes":null,"runtimeConfig":null}`, func(c Config) any { return c.AnnotationsKnown }, "false"},
	} {
		cfg := parse(t, c.doc)
		if got := fmt.Sprint(c.got(cfg)); got != c.want || len(cfg.Problems) > 0 {
			t.Errorf("%s: got %q and problems %v, want %q and none", c.doc, got, cfg.Problems, c.want)
		}
	}
}

func TestABadFieldLeavesTheOthersOfItsObject(t *testing.T) {
	for doc, want := range map[string]string{
		`{"ports":{"other":1,"tunnel":2}}`: "[{inbound-tunnel-port 2 network config key ports.tunnel}] [] 1",
		`{"interception":{"a":{},"b":2}}`:  "[] [{b 2 network config key interception.b}] 1",
	} {
		c := parse(t, doc)
		if got := fmt.Sprint(c.Settings, c.Static, len(c.Problems)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", doc, got, want)
		}
	}
}

func TestALongBadValueIsShownByItsBeginning(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("x", 58):        `"` + strings.Repeat("x", 58) + `"`,
		strings.Repeat("x", 59):        `"` + strings.Repeat("x", 59) + "…",
		strings.Repeat("x", 58) + "éé": `"` + strings.Repeat("x", 58) + "…", // the first é would be cut in two
	} {
		doc, err := json.Marshal(map[string]string{"agent_required": text})
		if err != nil {
			t.Fatal(err)
		}
		c := parse(t, string(doc))
		var p *Problem
		if !errors.As(c.Problems[0], &p) || p.Value != want || !utf8.ValidString(p.Value) {
			t.Errorf("%s:\ngot  %v\nwant %q", doc, c.Problems[0], want)
		}
	}
}

func TestWhatTheMeshsOwnPluginReadsAndOursDoesNotIsIgnoredAndSaid(t *testing.T) {
	for _, name := range []string{
		"ambient_enabled", "ambient_dns_capture", "ambient_ipv6", "ambient_reconcile_pod_rules_on_startup", "enable_ambient_detection_retry",
		"enablement_selectors", "log_uds_address", "pod_namespace", "skip_tproxy",
	} {
		ignored(t, fmt.Sprintf(`{%q:null}`, name), name)
	}
	ignored(t, `{"kubernetes":{"kubeconfig":"x"}}`, "kubernetes.kubeconfig")
}

func ignored(t *testing.T, doc, key string) {
	t.Helper()
	c := parse(t, doc)
	if got, want := fmt.Sprint(c.Warnings), "[network config key "+key+" is accepted and ignored]"; got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", doc, got, want)
	}
}
