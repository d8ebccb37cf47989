package decide

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/podsettings"
)

// said fails unless there are as many errors as words, each with its own.
func said(t *testing.T, errs []error, want ...string) {
	t.Helper()
	ok := slices.EqualFunc(errs, want, func(err error, w string) bool {
		return err != nil && strings.Contains(err.Error(), w)
	})
	if !ok {
		t.Errorf("got %d errors %q\nwant %d with %q", len(errs), errs, len(want), want)
	}
}

func TestAFailureCarriesWhatToRepairAndNothingElse(t *testing.T) {
	own := func(doc string) string { return "SLUICE_CONFIG=" + base64.RawURLEncoding.EncodeToString([]byte(doc)) }
	badBeside := `"interception":{"proxy-uid":"-1"},"ip_families":"v5",`
	for _, c := range []struct {
		name, args, config, pod string
		want                    []string
	}{
		{"CNI_ARGS", "x", "{}", "-", []string{`"x" is not NAME=VALUE`}},
		{"CNI_ARGS settings that are not allowed", own(`{}`), "{}", "-", []string{"CNI_ARGS holds SLUICE_CONFIG, which the network config does not allow (allow_args is false)"}},
		{"CNI_ARGS settings, undecodable", "SLUICE_CONFIG=!", `{"allow_args":true}`, "-", []string{"not base64url"}},
		{"CNI_ARGS settings, beside bad ones of the config", own(`{"envoy-port":0,"x":1}`), `{"allow_args":true,"interception":{"proxy-uid":"-1"}}`, "-", []string{`SLUICE_CONFIG.x: x="1": unknown`, "SLUICE_CONFIG.envoy-port: "}},
		{"config", someArgs, "{", "-", []string{"network config is no JSON object"}},
		{"static settings", "", "{" + badBeside + `"strict":5}`, "-", []string{"key strict", "proxy-uid", "ip-families"}},
		{"a pod under a bad config, whose static settings are not its", someArgs, "{" + badBeside + `"strict":5,` + injected[1:], meshed("", "", "", proxy), []string{"key strict", "ip-families"}},
		{"a pod's settings go before a bad config", someArgs, `{"ip_families":"v5",` + injected[1:], meshed(`,"traffic.sidecar.istio.io/includeInboundPorts":"x"`, "", "", proxy), []string{"includeInboundPorts"}},
		{"agent down", someArgs, injected, noAnswer, []string{"connection refused"}},
		{"another uid", strings.Replace(someArgs, "u1", "u2", 1), injected, meshed("", "", "", proxy), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(facts(t, c.args, c.config, c.pod))
			if d.Outcome != Fail {
				t.Fatalf("got %s (%s), want %s", d.Outcome, d.Detail, Fail)
			}
			said(t, d.Errs, c.want...)
		})
	}
}

func TestAProgramCarriesEveryWarning(t *testing.T) {
	pod := meshed(`,"traffic.sidecar.istio.io/excludeOutboundPort":"1","traffic.sidecar.istio.io/includeOutboundPorts":"80,,90"`, "", `{"name":"i"}`, proxy)
	var got []string
	for _, w := range Decide(facts(t, someArgs, injected, pod)).Warnings {
		got = append(got, fmt.Sprint(w.Kind, " ", w.Text))
	}
	want := []string{
		string(podsettings.SettingRemark) + ` annotation traffic.sidecar.istio.io/includeOutboundPorts: 1 empty item dropped from "80,,90"`,
		string(podsettings.InitBeforeProxy) + " init container i",
		string(podsettings.UnknownAnnotation) + " annotation traffic.sidecar.istio.io/excludeOutboundPort is not known",
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPortsThatEveryPodLeavesOutAreNoRemark(t *testing.T) {
	const remark = "has no meaning beside a list of inbound ports: only 8080 is captured"
	for excluded, want := range map[string]bool{"": false, `"15020"`: false, `" 15090,, 15021"`: false, `""`: false, `"22"`: true, `"15020,22"`: true} {
		annotations := `,"traffic.sidecar.istio.io/includeInboundPorts":"8080","traffic.sidecar.istio.io/includeOutboundPorts":"15020"`
		if excluded != "" {
			annotations += `,"traffic.sidecar.istio.io/excludeInboundPorts":` + excluded
		}
		d := Decide(facts(t, someArgs, injected, meshed(annotations, "", "", proxy)))
		got := fmt.Sprint(d.Warnings)
		if strings.Contains(got, remark) != want || !want && len(d.Warnings) > 0 {
			t.Errorf("excluded %s: got warnings %s, want the remark: %v", excluded, got, want)
		}
	}
}

func TestEveryOtherRemarkStays(t *testing.T) {
	d := Decide(facts(t, someArgs, injected, meshed(`,"traffic.sidecar.istio.io/includeInboundPorts":"8080,,15008"`, "", "", proxy)))
	if len(d.Warnings) != 2 {
		t.Errorf("got %v, want the empty item and the tunnel's port", d.Warnings)
	}
}

func TestAWildcardAloneIsRefusedAsSuch(t *testing.T) {
	for _, name := range []string{"excludeInboundPorts", "excludeOutboundPorts"} {
		for _, value := range []string{"*", " * "} {
			d := Decide(facts(t, someArgs, injected, meshed(fmt.Sprintf(`,"traffic.sidecar.istio.io/%s":%q`, name, value), "", "", proxy)))
			said(t, d.Errs, `="`+value+`": would leave everything alone`)
		}
	}
	d := Decide(facts(t, someArgs, injected, meshed(`,"traffic.sidecar.istio.io/excludeInboundPorts":"22,*"`, "", "", proxy)))
	said(t, d.Errs, `="*": a wildcard inside a list`)
}

func TestAContainersOwnSettingsOverrideStaticOnesAndTheseTheNodes(t *testing.T) {
	own := "SLUICE_CONFIG=" + base64.RawURLEncoding.EncodeToString([]byte(`{"proxy-uid":5}`))
	d := Decide(facts(t, own, `{"allow_args":true,"backend":"iptables-legacy","ip_families":"v4","interception":{"ip-families":"v6","proxy-uid":4,"envoy-port":16001}}`, "-"))
	c := d.Config
	got := fmt.Sprint(c.Backend, " ", c.Families, " ", c.OutboundPort, " ", c.ProxyUIDs)
	if want := "iptables-legacy v6 16001 5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheDetailNamesTheProxysType(t *testing.T) {
	d := Decide(facts(t, someArgs, injected, meshed("", "", "", `,{"name":"istio-proxy","args":["proxy","router"]}`)))
	if want := "the proxy is a router, not a sidecar"; d.Detail != want {
		t.Errorf("got %q, want %q", d.Detail, want)
	}
}
