package ships

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/cni/node/agent"
)

const chart = "deploy/chart/sluice"

// helm builds Helm if it has to, runs it, and returns its output and error.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command(t, top, "make", "-s", "build/tools/helm")
	cmd := exec.Command("build/tools/helm", args...)
	cmd.Dir = top
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// render gives the objects of the chart with these values.
func render(t *testing.T, values ...string) []object {
	t.Helper()
	args := []string{"template", "sluice", chart, "-n", "sluice-system", "--kube-version", "1.35.0"}
	for _, v := range values {
		args = append(args, "--set", v)
	}
	out, err := helm(t, args...)
	if err != nil {
		t.Fatalf("helm %v: %v\n%s", args, err, out)
	}
	return objects(t, out)
}

// object is a manifest, with what the tests ask about.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Rules    []struct{ Resources, Verbs []string }
	Spec     struct {
		Template struct {
			Metadata struct{ Annotations map[string]string }
			Spec     struct {
				Containers []struct {
					Args            []string
					SecurityContext struct {
						Capabilities           struct{ Add, Drop []string }
						ReadOnlyRootFilesystem bool `yaml:"readOnlyRootFilesystem"`
					} `yaml:"securityContext"`
				}
				Volumes []struct {
					HostPath struct{ Path string } `yaml:"hostPath"`
				}
			}
		}
	}
}

func objects(t *testing.T, text string) (list []object) {
	t.Helper()
	for _, doc := range strings.Split(text, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if o.Kind != "" {
			list = append(list, o)
		}
	}
	return list
}

func only(t *testing.T, list []object, kind string) object {
	t.Helper()
	for _, o := range list {
		if o.Kind == kind {
			return o
		}
	}
	t.Fatalf("no %s among the objects", kind)
	return object{}
}

func kinds(list []object) string {
	var names []string
	for _, o := range list {
		names = append(names, o.Kind)
	}
	return strings.Join(names, " ")
}

// platforms are those with a preset.
func platforms(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, chart, "presets", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("presets: %v, %v", files, err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	return names
}

func TestTheChartIsCleanOnEveryPlatform(t *testing.T) {
	for _, platform := range append(platforms(t), "") {
		out, err := helm(t, "lint", "--strict", chart, "--set", "platform="+platform, "--set", "repair.modes={repair,delete,label}",
			"--set", "networkPolicy.enabled=true", "--set", "podDisruptionBudget.enabled=true", "--kube-version", "1.35.0")
		if err != nil || strings.Contains(out, "[WARNING]") {
			t.Errorf("platform %q: got %v and\n%s\nwant a clean report", platform, err, out)
		}
	}
}

func TestPresetsPutThePluginWhereThePlatformLooks(t *testing.T) {
	for _, tc := range []struct{ platform, conf, bin string }{
		{"", "/etc/cni/net.d", "/opt/cni/bin"},
		{"gke", "/etc/cni/net.d", "/home/kubernetes/bin"},
		{"k3s", "/var/lib/rancher/k3s/agent/etc/cni/net.d", "/var/lib/rancher/k3s/data/cni"},
		{"microk8s", "/var/snap/microk8s/current/args/cni-network", "/var/snap/microk8s/current/opt/cni/bin"},
		{"openshift", "/etc/cni/multus/net.d", "/var/lib/cni/bin"},
		{"talos", "/etc/cni/net.d", "/opt/cni/bin"},
	} {
		pod := only(t, render(t, "platform="+tc.platform), "DaemonSet").Spec.Template.Spec
		args := strings.Join(pod.Containers[0].Args, " ")
		var paths []string
		for _, v := range pod.Volumes {
			paths = append(paths, v.HostPath.Path)
		}
		for _, want := range []string{"--conf-dir=" + tc.conf + " ", "--bin-dir=" + tc.bin + " "} {
			if !strings.Contains(args+" ", want) {
				t.Errorf("platform %q: got arguments %s, want %s", tc.platform, args, want)
			}
		}
		if got := strings.Join(paths, " "); !strings.Contains(got, tc.conf) || !strings.Contains(got, tc.bin) {
			t.Errorf("platform %q: got folders %s, want %s and %s", tc.platform, got, tc.conf, tc.bin)
		}
	}
	own := only(t, render(t, "platform=gke", "cni.binDir=/opt/bin"), "DaemonSet").Spec.Template.Spec.Containers[0].Args
	if got := strings.Join(own, " "); !strings.Contains(got, "--bin-dir=/opt/bin") {
		t.Errorf("a value beside a preset: got %s, want --bin-dir=/opt/bin", got)
	}
}

func TestEachRepairModeBringsItsRightsAndNoOthers(t *testing.T) {
	const files = "CHOWN DAC_OVERRIDE" // cmd/sluice-node has the proof that they are needed, and enough
	for _, tc := range []struct{ values, verbs, capabilities string }{
		{"repair.modes=null", "get list watch", files},
		{"repair.modes={delete}", "get list watch delete", files},
		{"repair.modes={label}", "get list watch patch", files},
		{"repair.modes={repair}", "get list watch", files + " NET_ADMIN SYS_ADMIN SYS_PTRACE"},
		{"repair.modes={repair,delete,label}", "get list watch delete patch", files + " NET_ADMIN SYS_ADMIN SYS_PTRACE"},
	} {
		list := render(t, tc.values)
		if got := strings.Join(only(t, list, "ClusterRole").Rules[0].Verbs, " "); got != tc.verbs {
			t.Errorf("%s: got verbs %q on pods, want %q", tc.values, got, tc.verbs)
		}
		c := only(t, list, "DaemonSet").Spec.Template.Spec.Containers[0].SecurityContext
		if got := strings.Join(c.Capabilities.Add, " "); got != tc.capabilities || strings.Join(c.Capabilities.Drop, " ") != "ALL" {
			t.Errorf("%s: got capabilities %q and dropped %v, want %q and ALL", tc.values, got, c.Capabilities.Drop, tc.capabilities)
		}
		if !c.ReadOnlyRootFilesystem {
			t.Errorf("%s: the root file system can be written to", tc.values)
		}
	}
}

func TestTheAgentAcceptsThePluginSettingsThatTheChartWrites(t *testing.T) {
	list := render(t, "cni.strict=true", "cni.ports.outbound=15101", "cni.excludeNamespaces={legacy}", "cni.backend=nftables", "cni.timeout=5s", "cni.logFile=/var/log/sluice-cni.log")
	_, c, err := agent.Entry([]byte(only(t, list, "ConfigMap").Data["plugin.json"]), "/run/sluice/node.sock")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.ExcludeNamespaces, " "), "kube-system sluice-system legacy"; got != want || !c.Strict || c.LogFile != "/var/log/sluice-cni.log" {
		t.Errorf("got excluded namespaces %q, strict %v and log file %q, want %q, true and /var/log/sluice-cni.log", got, c.Strict, c.LogFile, want)
	}
}

// The agent's own parser reads the flags: an unknown one ends it at once, and
// with known ones it gets as far as looking for its credentials.
func TestTheAgentKnowsEveryFlagThatTheChartPasses(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sluice-node")
	command(t, top, "go", "build", "-o", binary, "./cmd/sluice-node")
	list := render(t, "repair.modes={repair,delete,label}", "startupTaint=a/b", "cni.confFile=x.conflist", "cni.ownedConflist=true", "cni.multus=false")
	args := only(t, list, "DaemonSet").Spec.Template.Spec.Containers[0].Args
	for _, tc := range []struct {
		more []string
		says string
	}{
		{nil, "credentials"},
		{[]string{"--never-heard-of"}, "never-heard-of"},
	} {
		cmd := exec.Command(binary, append(slices.Clone(args), tc.more...)...)
		cmd.Env = []string{}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), tc.says) {
			t.Errorf("with %v: got %v and\n%s\nwant an error about %s", tc.more, err, out, tc.says)
		}
	}
}

func TestAChangedConfigurationIsARollout(t *testing.T) {
	sum := func(values ...string) string {
		return only(t, render(t, values...), "DaemonSet").Spec.Template.Metadata.Annotations["sluice.sluicemesh.io/config"]
	}
	if a, b := sum(), sum("cni.strict=true"); a == "" || a == b {
		t.Errorf("got checksum %q before and %q after, want two that differ", a, b)
	}
}

func TestOptionalObjectsStandOnlyWhereTheyAreAskedFor(t *testing.T) {
	const always = "ServiceAccount ConfigMap ClusterRole ClusterRoleBinding Role RoleBinding DaemonSet"
	for _, tc := range []struct{ values, want string }{
		{"platform=", always},
		{"platform=gke", "ResourceQuota " + always},
		{"platform=openshift", "ServiceAccount ConfigMap ClusterRole ClusterRoleBinding Role RoleBinding RoleBinding DaemonSet NetworkAttachmentDefinition"},
		{"networkPolicy.enabled=true", "NetworkPolicy " + always},
		{"podDisruptionBudget.enabled=true", "PodDisruptionBudget " + always},
	} {
		if got := kinds(render(t, tc.values)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.values, got, tc.want)
		}
	}
}

func TestTheValuesSchemaRefusesWhatTheChartDoesNotKnow(t *testing.T) {
	for _, value := range []string{"port=0", "cni.backend=ebpf", "cni.confDir=etc", "platform=mars", "nonsense=1", "repair.modes={x}", "cni.agentRequired=maybe", "startupTaint=mine",
		"repair.labelKey=bad key!", "repair.labelKey=/x", "repair.labelValue=-", "cni.logFile=x.log"} {
		if out, err := helm(t, "template", "x", chart, "--kube-version", "1.35.0", "--set", value); err == nil {
			t.Errorf("--set %s: accepted, want an error; got\n%s", value, out)
		}
	}
}

func TestValuesThatExcludeEachOtherAreRefusedWithAWayOut(t *testing.T) {
	for _, tc := range []struct{ values, says string }{
		{"platform=openshift,cni.ownedConflist=true", "cni.multus=false"},
		{"cni.multus=true,cni.ownedConflist=true", "unset cni.ownedConflist"},
		{"repair.modes={repair},cni.backend=iptables", "cni.backend is iptables: set cni.backend to auto or nftables"},
		{"repair.modes={delete,repair},cni.backend=iptables-legacy", "cni.backend is iptables-legacy"},
		{"cni.ports.outbound=15001,cni.ports.inbound=15001", "15001, 15001, 15008"},
		{"cni.ports.outbound=15006", "15006, 15006, 15008"},
		{"cni.ports.tunnel=15001", "15001, 15006, 15001"},
	} {
		out, err := helm(t, "template", "x", chart, "--kube-version", "1.35.0", "--set", tc.values)
		if err == nil || !strings.Contains(out, tc.says) {
			t.Errorf("--set %s: got %v and\n%s\nwant an error that says %q", tc.values, err, out, tc.says)
		}
	}
	for _, values := range []string{"platform=openshift,cni.multus=false,cni.ownedConflist=true", "repair.modes={delete},cni.backend=iptables",
		"cni.ports.outbound=15006,cni.ports.inbound=15001"} {
		if out, err := helm(t, "template", "x", chart, "--kube-version", "1.35.0", "--set", values); err != nil {
			t.Errorf("--set %s: got %v and\n%s\nwant it accepted", values, err, out)
		}
	}
}

func TestTheManifestsAreTheChartRendered(t *testing.T) {
	command(t, top, "make", "-s", "build/tools/helm")
	out := t.TempDir()
	command(t, top, "tools/manifests.sh", out)
	want := folder(t, out)
	got := folder(t, filepath.Join(top, "deploy/manifests"))
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("deploy/manifests/%s is not what the chart says; run make manifests", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("deploy/manifests/%s is not rendered from the chart", name)
		}
	}
}

func folder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		files[e.Name()] = read(t, dir, e.Name())
	}
	return files
}
