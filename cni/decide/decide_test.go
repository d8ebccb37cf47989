package decide

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

const (
	someArgs  = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=u1"
	injected  = `{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"sidecar.istio.io/status":"{}"}}}`
	plain     = `{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":"b"}}}`
	noAnswer  = ""
	meshedPod = `{"metadata":{"namespace":"shop","name":"cart","uid":"u1","annotations":{"sidecar.istio.io/status":"{}"%s},"labels":{%s}},
		"spec":{"initContainers":[%s],"containers":[{"name":"app"}%s]}}`
	proxy = `,{"name":"istio-proxy"}`
)

// meshed makes a manifest: annotations, labels, init containers, containers.
func meshed(annotations, labels, inits, containers string) string {
	return fmt.Sprintf(meshedPod, annotations, labels, inits, containers)
}

// facts are what the plugin would have for eth1. A pod of "-" means not asked
// yet; FIRST in CNI_ARGS stands for what the plugin remembers.
func facts(t *testing.T, args, config, pod string) Facts {
	t.Helper()
	var f Facts
	f.Args, f.ArgsErr = netconf.ParseArgs(args)
	f.Config, f.ConfigErr = netconf.Parse([]byte(config))
	f.Interface = "eth1"
	_, f.First, _ = strings.Cut(args, "FIRST=")
	if pod == "-" {
		return f
	}
	f.Asked = true
	if pod == noAnswer {
		f.PodErr = errors.New("dial: connection refused")
		return f
	}
	p, err := podsettings.Decode([]byte(pod))
	if err != nil {
		t.Fatal(err)
	}
	f.Pod = &p
	return f
}

func TestEveryRowOfTheTable(t *testing.T) {
	sluiceConfig := "SLUICE_CONFIG=" + base64.RawURLEncoding.EncodeToString([]byte(`{"proxy-uid":5}`))
	reached := map[string]bool{}
	for _, c := range []struct {
		name, args, config, pod string
		row                     int
		reason                  string
		outcome                 Outcome
		code                    uint
	}{
		{"CNI_ARGS unparsable", "x", "{}", "-", 1, "bad-cni-args", Fail, CodeArgs},
		{"CNI_ARGS settings not allowed", sluiceConfig, "{}", "-", 1, "bad-cni-args", Fail, CodeArgs},
		{"CNI_ARGS settings unparsable", "SLUICE_CONFIG=!", `{"allow_args":true}`, "-", 1, "bad-cni-args", Fail, CodeArgs},
		{"CNI_ARGS settings, and a config that cannot allow them", sluiceConfig, "{", "-", 1, "bad-config", Fail, CodeConfig},
		{"config no JSON", someArgs, "{", "-", 1, "bad-config", Fail, CodeConfig},
		{"config no JSON, no Kubernetes", "", "[]", "-", 1, "bad-config", Fail, CodeConfig},
		{"static settings", "", `{"interception":{"proxy-uid":5}}`, "-", 2, "static-settings", Program, 0},
		{"static settings of the container", sluiceConfig, `{"allow_args":true}`, "-", 2, "static-settings", Program, 0},
		{"static settings of the container bad", "SLUICE_CONFIG=" + base64.RawURLEncoding.EncodeToString([]byte(`{"proxy-uid":"x"}`)), `{"allow_args":true}`, "-", 1, "bad-cni-args", Fail, CodeArgs},
		{"second interface", "FIRST=eth0", `{"interception":{"proxy-uid":5}}`, "-", 2, "second-interface", Pass, 0},
		{"second interface, settings bad", "FIRST=eth0", `{"interception":{"proxy-uid":-1}}`, "-", 2, "second-interface", Pass, 0},
		{"second interface, no settings", "FIRST=eth0", `{}`, "-", 2, "no-kubernetes-pod", Pass, 0},
		{"first interface again", "FIRST=eth1", `{"interception":{"proxy-uid":5}}`, "-", 2, "static-settings", Program, 0},
		{"static settings bad", "", `{"interception":{"proxy-uid":-1}}`, "-", 2, "bad-config-value", Fail, CodeConfig},
		{"static settings unknown", "", `{"interception":{"proxy":1}}`, "-", 2, "bad-config-value", Fail, CodeConfig},
		{"static settings contradictory", "", `{"interception":{"envoy-port":15006}}`, "-", 2, "bad-config-value", Fail, CodeConfig},
		{"static mode NONE", "", `{"interception":{"istio-inbound-interception-mode":"NONE"}}`, "-", 2, "mode-none", Pass, 0},
		{"static settings with a bad key beside", "", `{"interception":{},"strict":5}`, "-", 2, "bad-config-value", Fail, CodeConfig},
		{"static mode NONE is not a pod's", someArgs, `{"interception":{"istio-inbound-interception-mode":"NONE"},` + injected[1:], meshed("", "", "", proxy), 14, "meshed", Program, 0},
		{"no Kubernetes, nothing stated", "", "{}", "-", 2, "no-kubernetes-pod", Pass, 0},
		{"no Kubernetes, bad key, nothing stated", "", `{"strict":5}`, "-", 2, "no-kubernetes-pod", Pass, 0},
		{"static settings never for Kubernetes", someArgs, `{"interception":{},` + plain[1:], "-", 4, "not-injected", Pass, 0},
		{"container's settings never for Kubernetes", someArgs + ";" + sluiceConfig, plain, "-", 4, "not-injected", Pass, 0},
		{"excluded namespace", someArgs, `{"exclude_namespaces":["shop"],` + injected[1:], "-", 3, "namespace-excluded", Pass, 0},
		{"kube-system", "K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=x", "{}", "-", 3, "namespace-excluded", Pass, 0},
		{"annotations known, not injected", someArgs, plain, "-", 4, "not-injected", Pass, 0},
		{"annotations null, which kubelet never sends", someArgs, `{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":null}}`, "-", 5, "pod-wanted", Ask, 0},
		{"annotations empty, a constant of the config", someArgs, `{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{}}}`, meshed("", "", "", proxy), 14, "meshed", Program, 0},
		{"not injected, but always", someArgs, `{"agent_required":"always",` + plain[1:], "-", 5, "pod-wanted", Ask, 0},
		{"injected", someArgs, injected, "-", 5, "pod-wanted", Ask, 0},
		{"annotations unknown", someArgs, "{}", "-", 5, "pod-wanted", Ask, 0},
		{"agent down, injected", someArgs, injected, noAnswer, 5, "pod-unknown", Fail, CodeTryAgain},
		{"agent down, injected, never", someArgs, `{"agent_required":"never",` + injected[1:], noAnswer, 5, "pod-unknown", Fail, CodeTryAgain},
		{"agent down, unknown", someArgs, "{}", noAnswer, 5, "pod-unknown", Fail, CodeTryAgain},
		{"agent down, unknown, never", someArgs, `{"agent_required":"never"}`, noAnswer, 5, "pod-unknown-passed", Pass, 0},
		{"agent down, unknown, always", someArgs, `{"agent_required":"always"}`, noAnswer, 5, "pod-unknown", Fail, CodeTryAgain},
		{"agent down, not injected, always", someArgs, `{"agent_required":"always",` + plain[1:], noAnswer, 5, "pod-unknown", Fail, CodeTryAgain},
		{"another uid", strings.Replace(someArgs, "u1", "u2", 1), injected, meshed("", "", "", proxy), 5, "pod-unknown", Fail, CodeTryAgain},
		{"static pod by its hash", strings.Replace(someArgs, "u1", "h", 1), injected, meshed(`,"kubernetes.io/config.hash":"h"`, "", "", proxy), 14, "meshed", Program, 0},
		{"istio-init", someArgs, injected, meshed("", "", `{"name":"istio-init"}`, proxy), 6, "istio-init", Pass, 0},
		{"istio-init among containers", someArgs, injected, meshed("", "", "", proxy+`,{"name":"istio-init"}`), 6, "istio-init", Pass, 0},
		{"envoy disabled", someArgs, injected, meshed("", "", "", `,{"name":"istio-proxy","env":[{"name":"DISABLE_ENVOY","value":"true"}]}`), 7, "envoy-disabled", Pass, 0},
		{"envoy not disabled", someArgs, injected, meshed("", "", "", `,{"name":"istio-proxy","env":[{"name":"DISABLE_ENVOY","value":"false"}]}`), 14, "meshed", Program, 0},
		{"no proxy", someArgs, injected, meshed("", "", "", ""), 8, "no-proxy", Pass, 0},
		{"proxy among init containers", someArgs, injected, meshed("", "", `{"name":"istio-proxy","restartPolicy":"Always"}`, ""), 14, "meshed", Program, 0},
		{"router", someArgs, injected, meshed("", "", "", `,{"name":"istio-proxy","args":["proxy","router"]}`), 9, "proxy-type", Pass, 0},
		{"sidecar", someArgs, injected, meshed("", "", "", `,{"name":"istio-proxy","args":["proxy","sidecar"]}`), 14, "meshed", Program, 0},
		{"label false", someArgs, injected, meshed("", `"sidecar.istio.io/inject":"false"`, "", proxy), 10, "injection-off", Pass, 0},
		{"annotation false", someArgs, injected, meshed(`,"sidecar.istio.io/inject":"false"`, "", "", proxy), 10, "injection-off", Pass, 0},
		{"label true before annotation false", someArgs, injected, meshed(`,"sidecar.istio.io/inject":"false"`, `"sidecar.istio.io/inject":"true"`, "", proxy), 14, "meshed", Program, 0},
		{"status absent", someArgs, "{}", `{"metadata":{"uid":"u1"},"spec":{"containers":[{"name":"istio-proxy"}]}}`, 11, "not-injected", Pass, 0},
		{"mode NONE", someArgs, injected, meshed(`,"sidecar.istio.io/interceptionMode":"none"`, "", "", proxy), 12, "mode-none", Pass, 0},
		{"mode NONE, other annotation bad", someArgs, injected, meshed(`,"sidecar.istio.io/interceptionMode":"NONE","traffic.sidecar.istio.io/includeInboundPorts":"x"`, "", "", proxy), 12, "mode-none", Pass, 0},
		{"variable by valueFrom", someArgs, injected, meshed("", "", "", `,{"name":"istio-proxy","env":[{"name":"INVALID_DROP","valueFrom":{"fieldRef":{}}}]}`), 13, "invalid-settings", Fail, CodeSettings},
		{"bypassing container, strict", someArgs, `{"strict":true,` + injected[1:], meshed("", "", `{"name":"i","securityContext":{"runAsUser":1337}}`, proxy), 13, "invalid-settings", Fail, CodeSettings},
		{"init container before the proxy, strict", someArgs, `{"strict":true,` + injected[1:], meshed("", "", `{"name":"i"}`, proxy), 14, "meshed", Program, 0},
		{"bypassing container", someArgs, injected, meshed("", "", `{"name":"i","securityContext":{"runAsUser":1337}}`, proxy), 14, "meshed", Program, 0},
		{"bad annotation", someArgs, injected, meshed(`,"traffic.sidecar.istio.io/includeInboundPorts":"http"`, "", "", proxy), 13, "invalid-settings", Fail, CodeSettings},
		{"bad setting of the config", someArgs, `{"ip_families":"v5",` + injected[1:], meshed("", "", "", proxy), 13, "bad-config-value", Fail, CodeConfig},
		{"bad key of the config", someArgs, `{"strict":5,` + injected[1:], meshed("", "", "", proxy), 13, "bad-config-value", Fail, CodeConfig},
		{"bad key of the config, unmeshed", someArgs, `{"strict":5,` + plain[1:], "-", 4, "not-injected", Pass, 0},
		{"meshed", someArgs, injected, meshed("", "", "", proxy), 14, "meshed", Program, 0},
		{"meshed, runtime without annotations", someArgs, "{}", meshed("", "", "", proxy), 14, "meshed", Program, 0},
		{"meshed, runtime without uid", strings.Replace(someArgs, ";K8S_POD_UID=u1", "", 1), injected, meshed("", "", "", proxy), 14, "meshed", Program, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(facts(t, c.args, c.config, c.pod))
			reached[fmt.Sprint(d.Row, d.Reason)] = true
			if d.Row != c.row || d.Reason != c.reason || d.Outcome != c.outcome || d.Code != c.code {
				t.Errorf("got  row %d %s %s %d (%s: %v)\nwant row %d %s %s %d", d.Row, d.Reason, d.Outcome, d.Code, d.Detail, d.Errs, c.row, c.reason, c.outcome, c.code)
			}
			if d.Detail == "" || (d.Outcome == Fail) != (d.Code != 0) || (d.Outcome == Program) != (len(d.Inputs) > 0) {
				t.Errorf("decision is not whole: %+v", d)
			}
		})
	}
	for _, r := range table() {
		if !reached[fmt.Sprint(r.number, r.reason)] {
			t.Errorf("no case reaches row %d %s", r.number, r.reason)
		}
	}
}

func TestThePodsSettingsOverrideTheNodes(t *testing.T) {
	config := `{"backend":"iptables-legacy","ip_families":"v4","ports":{"outbound":16001},` + injected[1:]
	d := Decide(facts(t, someArgs, config, meshed(`,"sluice.sluicemesh.io/ip-families":"dual"`, "", "", proxy)))
	c := d.Config
	got := fmt.Sprint(c.Backend, " ", c.Families, " ", c.OutboundPort, " ", c.ProxyUIDs)
	if want := "iptables-legacy dual 16001 1337"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAllErrorsComeTogether(t *testing.T) {
	env := `,{"name":"istio-proxy","securityContext":{"runAsUser":-1},"env":[{"name":"INVALID_DROP","valueFrom":{}},{"name":"ISTIO_DUAL_STACK","valueFrom":{}}]}`
	annotations := `,"traffic.sidecar.istio.io/includeInboundPorts":"0","traffic.sidecar.istio.io/excludeOutboundIPRanges":"x,y"`
	d := Decide(facts(t, someArgs, injected, meshed(annotations, "", "", env)))
	if len(d.Errs) != 6 {
		t.Errorf("got %d errors, want 6: %v", len(d.Errs), d.Errs)
	}
}

func TestWhyThePodIsNotKnownIsSaid(t *testing.T) {
	f := facts(t, someArgs, injected, noAnswer)
	if d := Decide(f); !strings.Contains(d.Detail, "connection refused") {
		t.Errorf("got %q, want the agent's error in it", d.Detail)
	}
	f.PodErr = nil
	if d := Decide(f); !strings.Contains(d.Detail, "does not know pod shop/cart with uid u1") {
		t.Errorf("got %q, want the pod named", d.Detail)
	}
	f.Pod = &podapi.Pod{UID: "u9"}
	if d := Decide(f); !strings.Contains(d.Detail, "u9") {
		t.Errorf("got %q, want the other uid named", d.Detail)
	}
}
