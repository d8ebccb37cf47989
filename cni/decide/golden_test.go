package decide

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/iptables"
)

// The golden cases are the init container's: its command line and the rules it
// loads. The two ways of the plugin, a pod's annotations and a network config's
// settings, must come to the same bytes.

// golden are the settings on a case's command line, and the rules.
func golden(t *testing.T, dir string) (settings map[string]string, rules string) {
	t.Helper()
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "rules"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return flags(strings.Fields(string(args))), string(text)
}

// flags reads a command line of the cases: only settings of the policy count.
func flags(words []string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(words); i++ {
		name := strings.TrimLeft(words[i], "-")
		name, value, given := strings.Cut(name, "=")
		for _, s := range builder.Settings() {
			if name != s.Flag && name != s.Short {
				continue
			}
			if s.Bool && !given {
				value, given = "true", true
			}
			if !given {
				i++
				value = strings.Trim(words[i], "'")
			}
			out[s.Flag] = value
		}
	}
	return out
}

// rendered is the restore text of the families that a configuration names.
func rendered(c builder.Config) string {
	var b strings.Builder
	for _, f := range iptables.Families() {
		if c.Families.Wants(f) {
			b.WriteString("# " + f.String() + "\n" + iptables.Render(builder.Build(c, f)))
		}
	}
	return b.String()
}

func cases(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("../../testdata/cases/*")
	if err != nil {
		t.Fatal(err)
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		_, env := os.Stat(filepath.Join(dir, "env"))
		return strings.HasPrefix(filepath.Base(dir), "bad-") || env == nil || filepath.Base(dir) == "unknown-flag"
	})
	if len(dirs) < 30 {
		t.Fatalf("only %d golden cases", len(dirs))
	}
	return dirs
}

func TestStaticSettingsGiveTheInitContainersBytes(t *testing.T) {
	for _, dir := range cases(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			settings, want := golden(t, dir)
			doc, err := json.Marshal(map[string]any{"interception": settings})
			if err != nil {
				t.Fatal(err)
			}
			config, err := netconf.Parse(doc)
			if err != nil {
				t.Fatal(err)
			}
			d := Decide(Facts{Config: config})
			if filepath.Base(dir) == "mode-none" {
				if d.Outcome != Pass {
					t.Errorf("got %s, want mode NONE to pass", d.Outcome)
				}
				return
			}
			if got := rendered(d.Config); got != want {
				t.Errorf("%v (%v)\ngot\n%s\nwant\n%s", d.Outcome, d.Errs, got, want)
			}
		})
	}
}

// notInPods are settings that the mesh gives a pod no way to state.
var notInPods = []string{
	"istio-inbound-tproxy-mark", "istio-inbound-tproxy-route-table", "rule-comments", "log-rules",
	"exclude-inbound-cidrs", "dns-servers",
}

func TestAnnotationsGiveTheInitContainersBytes(t *testing.T) {
	for _, dir := range cases(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			settings, want := golden(t, dir)
			for _, flag := range notInPods {
				if _, ok := settings[flag]; ok {
					return
				}
			}
			if strings.ContainsAny(settings["proxy-uid"]+settings["proxy-gid"], ",-") {
				return // one container has one uid
			}
			f := podOf(t, settings)
			d := Decide(f)
			if settings["istio-inbound-interception-mode"] == "none" {
				if d.Outcome != Pass {
					t.Errorf("got %s, want mode NONE to pass", d.Outcome)
				}
				return
			}
			if settings["istio-local-exclude-ports"] != "15090,15021,15020" && settings["istio-inbound-ports"] == "*" {
				want = withStatusPorts(t, settings)
			}
			if got := rendered(d.Config); got != want {
				t.Errorf("%v (%v)\ngot\n%s\nwant\n%s", d.Outcome, d.Errs, got, want)
			}
		})
	}
}

// withStatusPorts are the init container's rules with the proxy's own ports
// excluded, as they always are for pods.
func withStatusPorts(t *testing.T, settings map[string]string) string {
	t.Helper()
	var inputs []builder.Input
	for flag, value := range settings {
		inputs = append(inputs, builder.Input{Flag: flag, Value: value})
	}
	inputs = append(inputs, builder.Input{Flag: "istio-local-exclude-ports", Value: strings.Trim(settings["istio-local-exclude-ports"]+",15020,15021,15090", ",")})
	parsed, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return rendered(parsed.Config)
}

// podOf states settings as a user of the mesh would.
func podOf(t *testing.T, settings map[string]string) Facts {
	t.Helper()
	annotations := map[string]string{
		"istio-inbound-interception-mode": "sidecar.istio.io/interceptionMode", "istio-service-cidr": "traffic.sidecar.istio.io/includeOutboundIPRanges",
		"istio-service-exclude-cidr": "traffic.sidecar.istio.io/excludeOutboundIPRanges", "istio-outbound-ports": "traffic.sidecar.istio.io/includeOutboundPorts",
		"istio-local-outbound-ports-exclude": "traffic.sidecar.istio.io/excludeOutboundPorts", "istio-inbound-ports": "traffic.sidecar.istio.io/includeInboundPorts",
		"istio-local-exclude-ports": "traffic.sidecar.istio.io/excludeInboundPorts", "istio-exclude-interfaces": "traffic.sidecar.istio.io/excludeInterfaces",
		"kube-virt-interfaces": "istio.io/reroute-virtual-interfaces", "ip-families": "sluice.sluicemesh.io/ip-families",
		"exclude-outbound-ports-for-uids": "sluice.sluicemesh.io/excludeOutboundPortsForUIDs",
	}
	env := map[string]string{
		"redirect-dns": "ISTIO_META_DNS_CAPTURE", "drop-invalid": "INVALID_DROP", "owner-groups": "ISTIO_OUTBOUND_OWNER_GROUPS",
		"owner-groups-exclude": "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "loopback-cidr": "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR",
	}
	ports := map[string]string{"envoy-port": "outbound", "inbound-capture-port": "inbound", "inbound-tunnel-port": "tunnel"}

	p := podapi.Pod{Annotations: map[string]string{podapi.StatusAnnotation: "{}"}}
	// What a pod does not state is captured; what a command line does not, is not.
	p.Annotations[annotations["istio-service-cidr"]], p.Annotations[annotations["istio-inbound-ports"]] = "", ""
	proxy := podapi.Container{Name: podapi.ProxyName}
	portKeys := map[string]string{}
	for flag, value := range settings {
		switch {
		case annotations[flag] != "":
			p.Annotations[annotations[flag]] = value
		case env[flag] != "":
			proxy.Env = append(proxy.Env, podapi.Env{Name: env[flag], Value: value})
		case ports[flag] != "":
			portKeys[ports[flag]] = value
		case flag == "proxy-uid":
			proxy.RunAsUser = number(t, value)
		case flag == "proxy-gid":
			proxy.RunAsGroup = number(t, value)
		case flag != "capture-all-dns":
			t.Fatalf("how does a pod state %s? add it here or to notInPods", flag)
		}
	}
	p.Containers = []podapi.Container{proxy}
	doc, err := json.Marshal(map[string]any{"ports": portKeys})
	if err != nil {
		t.Fatal(err)
	}
	config, err := netconf.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	return Facts{Args: netconf.Args{Namespace: "n", Name: "p"}, Config: config, Asked: true, Pod: &p}
}

func number(t *testing.T, s string) *int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return &n
}
