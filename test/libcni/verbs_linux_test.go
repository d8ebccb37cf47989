package libcni

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/sluicemesh/sluice/cni"
	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

const (
	captured = "In In Out Out"
	direct   = "app app world world"
)

func TestMeshedPodsAreCapturedAndOthersAreNot(t *testing.T) {
	n := newNode(t)
	n.outside()
	for _, plugin := range []string{"ptp", "bridge"} {
		for _, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0"} {
			for _, c := range []struct {
				name        string
				annotations map[string]string
				want        string
			}{{"meshed", meshed(), captured}, {"unmeshed", nil, direct}} {
				t.Run(plugin+" "+version+" "+c.name, func(t *testing.T) {
					list := n.list(version, n.primary(plugin), n.sluice())
					alone := n.list(version, n.primary(plugin))
					p := n.kubernetesPod(c.annotations)
					result, err := p.add(list)
					if err != nil {
						t.Fatal(err)
					}
					p.serve(t)
					if got := p.landed(); got != c.want {
						t.Errorf("landed at %s, want %s", got, c.want)
					}
					if version != "0.3.0" && version != "0.3.1" {
						if err := p.check(list); err != nil {
							t.Errorf("CHECK: %v", err)
						}
					}
					want, err := n.plainPod().add(alone)
					if err != nil {
						t.Fatal(err)
					}
					if got, want := shape(t, result), shape(t, want); got != want {
						t.Errorf("result is\n%s\nwithout us it is\n%s", got, want)
					}
					for range 2 { // it comes twice
						if err := p.del(list); err != nil {
							t.Errorf("DEL: %v", err)
						}
					}
				})
			}
		}
	}
}

// shape is a result without what differs from pod to pod.
func shape(t *testing.T, r types.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.PrintTo(&b); err != nil {
		t.Fatal(err)
	}
	varying := regexp.MustCompile(`veth[0-9a-f]+|[0-9a-f:]{17}|198\.18\.9\.\d+/|2001:db8:9::[0-9a-f]+/|"/run/netns/[^"]*"`)
	return varying.ReplaceAllString(b.String(), "X")
}

func TestDriftIsFoundByCheckAndRepairedByAdd(t *testing.T) {
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			n := newNode(t)
			list := n.list("1.0.0", n.primary("ptp"), n.sluice(fmt.Sprintf(`"backend":%q`, backend)))
			p := n.kubernetesPod(meshed())
			p.mustAdd(list)
			breakRules(p, backend)
			err := p.check(list)
			if code(err) != cni.CodeVerify || !strings.Contains(err.Error(), "ISTIO_OUTPUT") {
				t.Errorf("CHECK after an edit: got %v, want code %d and the chain's name", err, cni.CodeVerify)
			}
			alone := n.list("1.0.0", n.sluice(fmt.Sprintf(`"backend":%q`, backend)))
			p.mustAdd(alone)
			if err := p.check(alone); err != nil {
				t.Errorf("CHECK after another ADD: %v", err)
			}
		})
	}
}

// backends are all ways to load rules that this machine has.
func backends() []string { return []string{"iptables-nft", "iptables-legacy", "nftables"} }

// breakRules deletes one rule behind the plugin's back.
func breakRules(p *pod, backend string) {
	if backend == "nftables" {
		p.MustRun("nft", "flush", "chain", "inet", "sluice", "nat-ISTIO_OUTPUT")
		return
	}
	p.Iptables(rig.Flavour(strings.TrimPrefix(backend, "iptables-")), rig.IPv6, "-t", "nat", "-D", "ISTIO_OUTPUT", "1")
}

func TestSecondaryInterfaceIsNotProgrammedTwice(t *testing.T) {
	n := newNode(t)
	list := n.list("1.0.0", n.primary("ptp"), n.sluice(`"backend":"iptables-nft"`))
	p := n.kubernetesPod(meshed())
	p.mustAdd(list)
	before := p.State()
	second := n.list("1.0.0", n.sluice(`"backend":"iptables-nft"`))
	p.rt.IfName = "net1"
	p.mustAdd(second)
	if diff := before.Diff(p.State()); diff != "" {
		t.Errorf("a second ADD changed the namespace:\n%s", diff)
	}
	if err := p.del(second); err != nil {
		t.Fatal(err)
	}
	if diff := before.Diff(p.State()); diff != "" {
		t.Errorf("DEL of the second interface changed the namespace:\n%s", diff)
	}
}

func TestDelLeavesALivingPodCaptured(t *testing.T) {
	n := newNode(t)
	only := n.list("1.0.0", n.sluice())
	p := n.kubernetesPod(meshed())
	p.mustAdd(n.list("1.0.0", n.primary("ptp"), n.sluice()))
	before := p.State()
	if err := p.del(only); err != nil {
		t.Fatal(err)
	}
	if diff := before.Diff(p.State()); diff != "" {
		t.Errorf("DEL changed the pod:\n%s", diff)
	}
}

func TestStandaloneWithoutAPrimaryPlugin(t *testing.T) {
	for _, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		t.Run(version, func(t *testing.T) {
			n := newNode(t)
			list := n.list(version, n.sluice(`"backend":"iptables-nft"`))
			p := n.kubernetesPod(meshed())
			p.mustAdd(list)
			if rules := p.Save(rig.NFT, rig.IPv4); !strings.Contains(rules, "ISTIO_OUTPUT") {
				t.Errorf("not programmed:\n%s", rules)
			}
			if version != "0.3.0" && version != "0.3.1" {
				if err := p.check(list); err != nil {
					t.Errorf("CHECK: %v", err)
				}
			}
			if err := p.del(list); err != nil {
				t.Errorf("DEL: %v", err)
			}
		})
	}
}

func TestGCAndStatusOfTheNewestVersion(t *testing.T) {
	n := newNode(t)
	list := n.list("1.1.0", n.sluice())
	n.Do(func() {
		if err := n.cni.GetStatusNetworkList(context.Background(), list); err != nil {
			t.Errorf("STATUS: %v", err)
		}
		if err := n.cni.GCNetworkList(context.Background(), list, &libcni.GCArgs{}); err != nil {
			t.Errorf("GC: %v", err)
		}
	})
	before := n.State()
	n.agent.Stop()
	n.Do(func() {
		if err := n.cni.GetStatusNetworkList(context.Background(), list); err != nil {
			t.Errorf("STATUS without agent: %v", err)
		}
		always := n.list("1.1.0", n.sluice(`"agent_required":"always"`))
		if err := n.cni.GetStatusNetworkList(context.Background(), always); code(err) != cni.CodeUnavailable {
			t.Errorf("STATUS without the agent that is always required: got %v, want code %d", err, cni.CodeUnavailable)
		}
	})
	if diff := before.Diff(n.State()); diff != "" {
		t.Errorf("STATUS left a trace on the node:\n%s", diff)
	}
}

func TestVersionsAreThoseThatTheRunnerKnows(t *testing.T) {
	n := newNode(t)
	info, err := n.cni.GetVersionInfo(context.Background(), "sluice-cni")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(info.SupportedVersions()), "[0.3.0 0.3.1 0.4.0 1.0.0 1.1.0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheHostsNamespaceIsRefused(t *testing.T) {
	n := newNode(t)
	list := n.list("1.0.0", n.sluice())
	for name, path := range map[string]string{"the plugin's own": n.Path(), "the machine's": fmt.Sprintf("/proc/%d/ns/net", os.Getpid())} {
		p := n.kubernetesPod(meshed())
		p.rt.NetNS = path
		if _, err := p.add(list); code(err) != cni.CodeHostNamespace {
			t.Errorf("%s: got %v, want code %d", name, err, cni.CodeHostNamespace)
		}
	}
	if rules := n.Save(rig.NFT, rig.IPv4); strings.Contains(rules, "ISTIO") {
		t.Errorf("the node was programmed:\n%s", rules)
	}
}

func TestMeshedPodsWaitForTheAgentAndOthersDoNot(t *testing.T) {
	n := newNode(t)
	list := n.list("1.0.0", n.primary("ptp"), n.sluice())
	n.agent.Stop()
	n.kubernetesPod(nil).mustAdd(list)
	p := n.kubernetesPod(meshed())
	begin := time.Now()
	_, err := p.add(list)
	if code(err) != cni.CodeTryAgain || !strings.Contains(err.Error(), "sluice-node") {
		t.Errorf("without agent: got %v, want code %d and what to look at", err, cni.CodeTryAgain)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("an absent agent cost %v", took)
	}
	if err := p.del(list); err != nil {
		t.Errorf("DEL after the failed ADD: %v", err)
	}
	n.agent.Resume()
	p.mustAdd(list)
}

func TestStaticSettingsWithoutKubernetes(t *testing.T) {
	n := newNode(t)
	n.outside()
	list := n.list("1.0.0", n.primary("ptp"), n.sluice(
		`"interception":{"istio-service-cidr":"*","istio-inbound-ports":"*"}`, `"allow_args":true`))
	p := n.plainPod()
	p.mustAdd(list)
	p.serve(t)
	if got := p.landed(); got != captured {
		t.Errorf("landed at %s, want %s", got, captured)
	}
	only := n.list("1.0.0", n.sluice(`"interception":{}`))
	if err := p.del(only); err != nil {
		t.Fatal(err)
	}
	if got := p.landed(); got != direct {
		t.Errorf("after DEL: landed at %s, want %s", got, direct)
	}
	own := n.plainPod()
	own.rt.Args = [][2]string{{"IgnoreUnknown", "1"}, {"SLUICE_CONFIG", base64.RawURLEncoding.EncodeToString([]byte(`{"istio-inbound-ports":""}`))}}
	own.mustAdd(list)
	own.serve(t)
	if got, want := own.landed(), "app app Out Out"; got != want {
		t.Errorf("with settings of its own: landed at %s, want %s", got, want)
	}
	if err := own.del(list); err != nil {
		t.Error(err)
	}
}

func TestAConstantWithoutAnnotationsLetsNoMeshedPodPass(t *testing.T) {
	n := newNode(t)
	list := n.list("1.0.0", n.sluice(`"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{}}`, `"backend":"iptables-nft"`))
	p := n.kubernetesPod(meshed())
	p.rt.CapabilityArgs = nil // a runtime that knows no annotations
	p.mustAdd(list)
	if rules := p.Save(rig.NFT, rig.IPv4); !strings.Contains(rules, "ISTIO_OUTPUT") {
		t.Errorf("not programmed:\n%s", rules)
	}
}

func TestABadAnnotationProgramsNothingAndSaysWhy(t *testing.T) {
	n := newNode(t)
	p := n.kubernetesPod(meshed("traffic.sidecar.istio.io/excludeInboundPorts", "http"))
	_, err := p.add(n.list("1.0.0", n.primary("ptp"), n.sluice()))
	if code(err) != cni.CodeSettings {
		t.Fatalf("got %v, want code %d", err, cni.CodeSettings)
	}
	for _, want := range []string{"traffic.sidecar.istio.io/excludeInboundPorts", `"http"`, "accepted"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	if rules := p.Save(rig.NFT, rig.IPv4); strings.Contains(rules, "ISTIO") {
		t.Errorf("programmed all the same:\n%s", rules)
	}
}

func TestCnitoolDrivesThePlugin(t *testing.T) {
	n := newNode(t)
	tool := program.Build(t, "github.com/containernetworking/cni/cnitool")
	conf := filepath.Join(n.dir, "net.d")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","plugins":[%s,%s]}`, n.primary("bridge"),
		n.sluice(`"interception":{"istio-inbound-ports":"*"}`, `"backend":"iptables-nft"`))
	if err := os.WriteFile(filepath.Join(conf, "10.conflist"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	p := n.plainPod()
	for _, verb := range []string{"add", "check", "del", "del"} {
		r := n.RunCmd(rig.Cmd{Args: []string{tool, verb, "pods", p.Path()}, Env: []string{"CNI_PATH=" + n.bin, "NETCONFPATH=" + conf, "PATH=" + os.Getenv("PATH")}})
		if r.Err != nil {
			t.Fatalf("cnitool %s: %v\n%s%s", verb, r.Err, r.Stdout, r.Stderr)
		}
		has := strings.Contains(p.Save(rig.NFT, rig.IPv4), "ISTIO_INBOUND")
		if want := slices.Contains([]string{"add", "check"}, verb); has != want {
			t.Errorf("after cnitool %s: rules there %v, want %v", verb, has, want)
		}
	}
}
