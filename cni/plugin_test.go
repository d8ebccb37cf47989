package cni

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// fakeAgent answers from a map, and counts.
type fakeAgent struct {
	pods    map[string]string // namespace/name → manifest
	err     error
	asked   int
	reports []podapi.Report
}

func (a *fakeAgent) Ask(_ context.Context, _ string, q podapi.Request) (podapi.Response, error) {
	a.asked++
	doc, ok := a.pods[q.Namespace+"/"+q.Name]
	if a.err != nil || !ok {
		return podapi.Response{UID: q.UID}, a.err
	}
	p, err := podsettings.Decode([]byte(doc))
	return podapi.Response{UID: q.UID, Found: true, Pod: &p}, err
}

func (a *fakeAgent) Tell(ctx context.Context, path string, r podapi.Report) error {
	return a.Note(ctx, path, r)
}

func (a *fakeAgent) Note(_ context.Context, _ string, r podapi.Report) error {
	a.reports = append(a.reports, r)
	return a.err
}

// fakeRules notes what is asked of it, in order.
type fakeRules struct {
	did    []string
	err    error
	before func() // runs before each is noted
}

func (r *fakeRules) note(what, netns string) error {
	if r.before != nil {
		r.before()
	}
	r.did = append(r.did, what+" "+netns)
	return r.err
}

func (r *fakeRules) Apply(_ context.Context, netns string, c builder.Config) (Applied, error) {
	return Applied{Backend: "fake", Changed: true}, r.note(fmt.Sprintf("apply uid %v", c.ProxyUIDs), netns)
}
func (r *fakeRules) Check(_ context.Context, netns string, _ builder.Config) error {
	return r.note("check", netns)
}
func (r *fakeRules) Remove(_ context.Context, netns string) error { return r.note("remove", netns) }
func (r *fakeRules) Usable(context.Context) error                 { return r.err }

// host is a node with one meshed pod, shop/cart.
type host struct {
	agent  fakeAgent
	rules  fakeRules
	memory Memory
	stderr bytes.Buffer
}

func newHost(t *testing.T) *host {
	t.Helper()
	return &host{memory: Memory(t.TempDir()), agent: fakeAgent{pods: map[string]string{
		"shop/cart": `{"metadata":{"namespace":"shop","name":"cart","uid":"u1","annotations":{"sidecar.istio.io/status":"{}"}},
			"spec":{"containers":[{"name":"app"},{"name":"istio-proxy","securityContext":{"runAsUser":1500}}]}}`,
	}}}
}

const (
	ofCart   = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=u1"
	injected = `"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"sidecar.istio.io/status":"{}"}}`
	unmeshed = `"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"kubernetes.io/config.source":"api"}}`
)

// call runs the plugin as a runtime would, with its usual environment changed
// by env ("NAME=VALUE").
func (h *host) call(verb, config string, env ...string) (code int, stdout string) {
	vars := map[string]string{
		"CNI_COMMAND": verb, "CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/x", "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin",
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	var out bytes.Buffer
	p := Plugin{
		Getenv: func(name string) string { return vars[name] }, Stdin: strings.NewReader(config), Stdout: &out, Stderr: &h.stderr,
		Agent: &h.agent, Rules: &h.rules, Memory: h.memory, Now: time.Now,
	}
	return p.Run(context.Background()), out.String()
}

func config(more ...string) string {
	return `{` + strings.Join(append([]string{`"cniVersion":"1.0.0","name":"n","type":"sluice-cni"`}, more...), ",") + `}`
}

// failure is the error JSON's code and message.
func failure(t *testing.T, stdout string) (version string, code uint, msg string) {
	t.Helper()
	var e struct {
		CNIVersion string
		Code       uint
		Msg        string
	}
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatalf("stdout is no JSON: %q", stdout)
	}
	return e.CNIVersion, e.Code, e.Msg
}

func TestAddOfAMeshedPodProgramsItsNamespaceAndPassesTheResultOn(t *testing.T) {
	h := newHost(t)
	prev := `{"cniVersion":"1.0.0","ips":[{"address":"192.0.2.2/24"}],"x-unknown":[1.50]}`
	code, out := h.call("ADD", config(injected, `"prevResult":`+prev), "CNI_ARGS="+ofCart)
	if code != 0 || out != prev+"\n" {
		t.Errorf("got %d %s\nwant 0 and the result unchanged: %s", code, out, prev)
	}
	if got, want := fmt.Sprint(h.rules.did), "[apply uid 1500 /run/netns/x]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAddOfAnUnmeshedPodAsksNobody(t *testing.T) {
	h := newHost(t)
	code, out := h.call("ADD", config(unmeshed), "CNI_ARGS="+ofCart)
	if code != 0 || h.agent.asked != 0 || len(h.rules.did) != 0 {
		t.Errorf("got %d %s; asked %d times, did %v; want nothing of that", code, out, h.agent.asked, h.rules.did)
	}
}

func TestAddWithoutPrevResultPrintsAnEmptyOne(t *testing.T) {
	for _, version := range versions() {
		h := newHost(t)
		code, out := h.call("ADD", strings.Replace(config(unmeshed), "1.0.0", version, 1), "CNI_ARGS="+ofCart)
		if want := `{"cniVersion":"` + version + `"}` + "\n"; code != 0 || out != want {
			t.Errorf("%s: got %d %s, want %s", version, code, out, want)
		}
	}
}

func TestAResultInAnotherVersionIsTranslated(t *testing.T) {
	h := newHost(t)
	prev := `"prevResult":{"cniVersion":"0.4.0","ips":[{"version":"4","address":"192.0.2.2/24","interface":0}],"interfaces":[{"name":"eth0"}],"dns":{}}`
	code, out := h.call("ADD", config(unmeshed, prev), "CNI_ARGS="+ofCart)
	var got struct {
		CNIVersion string
		IPs        []struct{ Version, Address string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("got %d %s", code, out)
	}
	if len(got.IPs) != 1 || got.CNIVersion != "1.0.0" || got.IPs[0].Address != "192.0.2.2/24" || got.IPs[0].Version != "" {
		t.Errorf("got %+v, want the address in the form of 1.0.0", got)
	}
	_, out = h.call("ADD", config(unmeshed, `"prevResult":{"cniVersion":"9.9.9"}`), "CNI_ARGS="+ofCart)
	if _, code, _ := failure(t, out); code != CodeConfig {
		t.Errorf("unknown version: got %s, want code %d", out, CodeConfig)
	}
}

func TestAddRefusesWithStableCodes(t *testing.T) {
	for _, c := range []struct {
		name, config string
		env          []string
		agentErr     error
		rulesErr     error
		code         uint
		msg          string
	}{
		{"no container id", config(unmeshed), []string{"CNI_CONTAINERID="}, nil, nil, CodeEnvironment, "CNI_CONTAINERID"},
		{"container id as path", config(unmeshed), []string{"CNI_CONTAINERID=../x"}, nil, nil, CodeEnvironment, "CNI_CONTAINERID"},
		{"no namespace", config(unmeshed), []string{"CNI_NETNS="}, nil, nil, CodeEnvironment, "CNI_NETNS"},
		{"relative namespace", config(unmeshed), []string{"CNI_NETNS=x"}, nil, nil, CodeEnvironment, "CNI_NETNS"},
		{"bad interface", config(unmeshed), []string{"CNI_IFNAME=a/b"}, nil, nil, CodeEnvironment, "CNI_IFNAME"},
		{"bad CNI_ARGS", config(unmeshed), []string{"CNI_ARGS=x"}, nil, nil, CodeEnvironment, "NAME=VALUE"},
		{"no JSON", "{", nil, nil, nil, CodeConfig, "JSON"},
		{"no name", `{"cniVersion":"1.0.0"}`, nil, nil, nil, CodeConfig, "name"},
		{"old version", `{"cniVersion":"0.2.0","name":"n"}`, nil, nil, nil, CodeVersion, "0.2.0"},
		{"no version", `{"name":"n"}`, nil, nil, nil, CodeVersion, "cniVersion"},
		{"future version", `{"cniVersion":"2.0.0","name":"n"}`, nil, nil, nil, CodeVersion, "2.0.0"},
		{"too large", config(`"x":"` + strings.Repeat("x", MaxInput) + `"`), nil, nil, nil, CodeConfig, "larger"},
		{"agent away", config(injected), []string{"CNI_ARGS=" + ofCart}, errors.New("nobody listens"), nil, CodeTryAgain, "nobody listens"},
		{"pod unknown", config(injected), []string{"CNI_ARGS=" + strings.Replace(ofCart, "cart", "till", 1)}, nil, nil, CodeTryAgain, "shop/till"},
		{"apply failed", config(injected), []string{"CNI_ARGS=" + ofCart}, nil, errors.New("the kernel said no"), CodeApply, "the kernel said no"},
		{"host namespace", config(injected), []string{"CNI_ARGS=" + ofCart}, nil, failf(CodeHostNamespace, "refused"), CodeHostNamespace, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.agent.err, h.rules.err = c.agentErr, c.rulesErr
			exit, out := h.call("ADD", c.config, c.env...)
			_, code, msg := failure(t, out)
			if exit != 1 || code != c.code || !strings.Contains(msg, c.msg) || strings.Contains(msg, "\n") {
				t.Errorf("got exit %d, code %d, %q; want 1, %d, one line with %q", exit, code, msg, c.code, c.msg)
			}
		})
	}
}

func TestABadAnnotationNamesItselfValueReasonAndAcceptedForm(t *testing.T) {
	h := newHost(t)
	h.agent.pods["shop/cart"] = strings.Replace(h.agent.pods["shop/cart"], `"annotations":{`,
		`"annotations":{"traffic.sidecar.istio.io/excludeOutboundPorts":"80,http","traffic.sidecar.istio.io/includeOutboundIPRanges":"10.0.0.0/33",`, 1)
	_, out := h.call("ADD", config(injected), "CNI_ARGS="+ofCart)
	_, code, msg := failure(t, out)
	for _, want := range []string{"excludeOutboundPorts", `"http"`, "includeOutboundIPRanges", "10.0.0.0/33", "accepted"} {
		if code != CodeSettings || !strings.Contains(msg, want) {
			t.Errorf("got code %d %q, want %d and %q in it", code, msg, CodeSettings, want)
		}
	}
	if len(h.rules.did) != 0 {
		t.Errorf("rules were touched: %v", h.rules.did)
	}
}

func TestErrorsAnswerInTheConfigsVersion(t *testing.T) {
	h := newHost(t)
	h.agent.err = errors.New("x")
	_, out := h.call("ADD", strings.Replace(config(injected), "1.0.0", "0.4.0", 1), "CNI_ARGS="+ofCart)
	if v, _, _ := failure(t, out); v != "0.4.0" {
		t.Errorf("got version %s, want 0.4.0", v)
	}
}

func TestDelOfAPodChangesNothing(t *testing.T) {
	h := newHost(t)
	h.rules.err, h.agent.err = errors.New("broken"), errors.New("away")
	for _, env := range [][]string{
		{"CNI_ARGS=" + ofCart}, {"CNI_ARGS=" + ofCart, "CNI_NETNS="}, {"CNI_NETNS="}, {"CNI_ARGS=garbage"}, {},
	} {
		if code, out := h.call("DEL", config(injected), env...); code != 0 || out != "" {
			t.Errorf("%v: got %d %s, want 0 and no output", env, code, out)
		}
	}
	if len(h.rules.did) != 0 || h.agent.asked != 0 {
		t.Errorf("did %v, asked %d times; want nothing", h.rules.did, h.agent.asked)
	}
}

func TestSettingsOfOneContainerThroughCNIArgs(t *testing.T) {
	h := newHost(t)
	args := "CNI_ARGS=SLUICE_CONFIG=" + base64.RawURLEncoding.EncodeToString([]byte(`{"proxy-uid":9}`))
	if code, out := h.call("ADD", config(`"allow_args":true,"interception":{"proxy-uid":7}`), args); code != 0 || fmt.Sprint(h.rules.did) != "[apply uid 9 /run/netns/x]" {
		t.Errorf("got %d %s %v, want uid 9 programmed", code, out, h.rules.did)
	}
	_, out := h.call("ADD", config(`"interception":{"proxy-uid":7}`), args)
	if _, code, _ := failure(t, out); code != CodeEnvironment {
		t.Errorf("not allowed: got code %d, want %d", code, CodeEnvironment)
	}
}

func TestCheckComparesOnlyWhatAddWouldProgram(t *testing.T) {
	h := newHost(t)
	if code, out := h.call("CHECK", config(injected), "CNI_ARGS="+ofCart); code != 0 || out != "" || fmt.Sprint(h.rules.did) != "[check /run/netns/x]" {
		t.Errorf("meshed: got %d %q %v", code, out, h.rules.did)
	}
	h.rules.err = failf(CodeVerify, "IPv4 nat ISTIO_OUTPUT: rule 3 is missing")
	_, out := h.call("CHECK", config(injected), "CNI_ARGS="+ofCart)
	if _, code, msg := failure(t, out); code != CodeVerify || !strings.Contains(msg, "rule 3 is missing") {
		t.Errorf("drift: got %d %q, want %d and the difference", code, msg, CodeVerify)
	}
	if code, out := h.call("CHECK", config(unmeshed), "CNI_ARGS="+ofCart); code != 0 {
		t.Errorf("unmeshed: got %d %s", code, out)
	}
}

func TestVerbsAndTheirVersions(t *testing.T) {
	for _, c := range []struct {
		verb, version string
		code          int
	}{
		{"CHECK", "0.3.1", 1}, {"CHECK", "0.4.0", 0}, {"GC", "1.0.0", 1}, {"GC", "1.1.0", 0}, {"STATUS", "1.0.0", 1}, {"STATUS", "1.1.0", 0},
		{"DEL", "0.3.0", 0}, {"NONSENSE", "1.1.0", 1}, {"", "1.1.0", 1},
	} {
		h := newHost(t)
		if code, out := h.call(c.verb, strings.Replace(config(unmeshed), "1.0.0", c.version, 1), "CNI_ARGS="+ofCart); code != c.code {
			t.Errorf("%s in %s: got %d %s, want %d", c.verb, c.version, code, out, c.code)
		}
	}
}

func TestVersionListsWhatIsSpoken(t *testing.T) {
	for stdin, want := range map[string]string{
		`{"cniVersion":"0.4.0"}`: `{"cniVersion":"0.4.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}`,
		``:                       `{"cniVersion":"1.1.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}`,
	} {
		if code, out := newHost(t).call("VERSION", stdin); code != 0 || out != want+"\n" {
			t.Errorf("%q: got %d %s, want %s", stdin, code, out, want)
		}
	}
}

func TestStatusFailsOnlyWhereNoPodCouldStart(t *testing.T) {
	v11 := strings.Replace(config(), "1.0.0", "1.1.0", 1)
	h := newHost(t)
	h.agent.err = errors.New("away")
	if code, out := h.call("STATUS", v11); code != 0 {
		t.Errorf("agent away: got %d %s, want 0", code, out)
	}
	_, out := h.call("STATUS", strings.Replace(v11, `"n"`, `"n","agent_required":"always"`, 1))
	if _, code, _ := failure(t, out); code != CodeUnavailable {
		t.Errorf("agent away but required: got %d, want %d", code, CodeUnavailable)
	}
	h = newHost(t)
	h.rules.err = errors.New("no nf_tables")
	_, out = h.call("STATUS", v11)
	if _, code, msg := failure(t, out); code != CodeUnavailable || !strings.Contains(msg, "no nf_tables") {
		t.Errorf("no backend: got %d %q, want %d and the reason", code, msg, CodeUnavailable)
	}
}

func TestTheAgentLearnsEveryDecision(t *testing.T) {
	h := newHost(t)
	h.call("ADD", config(injected), "CNI_ARGS="+ofCart)
	h.call("ADD", config(unmeshed), "CNI_ARGS="+ofCart)
	h.rules.err = failf(CodeBackend, "none")
	h.call("ADD", config(injected), "CNI_ARGS="+ofCart)
	var got []string
	for _, r := range h.agent.reports {
		got = append(got, fmt.Sprint(r.Verb, " ", r.Outcome, " ", r.Reason, " ", r.Code))
	}
	if want := "[ADD program meshed 0 ADD pass not-injected 0 ADD error meshed 102]"; fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func FuzzCall(f *testing.F) {
	f.Add("ADD", config(injected), ofCart)
	f.Add("DEL", config(), "SLUICE_CONFIG=e30")
	f.Add("CHECK", `{"cniVersion":"1.1.0","name":"n","interception":{"proxy-uid":7}}`, "")
	f.Fuzz(func(t *testing.T, verb, config, args string) {
		h := newHost(t)
		code, out := h.call(verb, config, "CNI_ARGS="+args)
		if code != 0 {
			if _, code, msg := failure(t, out); code == 0 || msg == "" {
				t.Errorf("failed without saying why: %s", out)
			}
		}
	})
}
