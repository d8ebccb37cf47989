package containerd

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

func TestMain(m *testing.M) { rig.Main(m) }

// ptp is a primary plugin with an address of each family, and what comes after.
func ptp(r *Runtime, more string) string {
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","plugins":[
		{"type":"ptp","ipMasq":false,"ipam":{"type":"host-local","dataDir":%q,
		 "ranges":[[{"subnet":"198.18.7.0/24"}],[{"subnet":"2001:db8:7::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}%s]}`,
		r.Dir+"/ipam", more)
}

func TestPodsOfTheRigTalkBothWaysAndLeaveNothing(t *testing.T) {
	r := Start(t)
	r.Conflist("10-pods.conflist", ptp(r, ""))
	p := r.MustRunPod(PodSpec{})
	app := p.Run(Container{Name: "app", Command: []string{"/testsidecar", "app", "shop", "0.0.0.0:8080", "[::]:8080"}, UID: 1000, GID: 1000})
	app.WaitOutput("ready")
	ips := p.IPs()
	if len(ips) != 2 {
		t.Fatalf("pod has addresses %v, want one of each family", ips)
	}
	for _, ip := range ips {
		got, err := sidecar.Ask(r.Node.Net(rig.Root), "tcp", netip.AddrPortFrom(ip, 8080).String())
		if err != nil || got.Listener != "shop" {
			t.Errorf("node to pod %v: got %v, %v; want an answer of shop", ip, got, err)
		}
	}
	if code, out := app.Exec("/testsidecar", "ask", "127.0.0.1:8080"); code != 0 || !strings.Contains(out, "listener=shop") {
		t.Errorf("exec: got %d %q, want an answer of shop", code, out)
	}
	before := r.Node.IP("-br", "link")
	if !strings.Contains(before, "veth") {
		t.Errorf("node has no veth:\n%s", before)
	}
	p.Remove()
	if after := r.Node.IP("-br", "link"); strings.Contains(after, "veth") {
		t.Errorf("a veth is left:\n%s", after)
	}
}

func TestContainersRunAsAskedFor(t *testing.T) {
	r := Start(t)
	r.Conflist("10-pods.conflist", ptp(r, ""))
	p := r.MustRunPod(PodSpec{})
	code, out := p.Run(Container{Name: "fails", Command: []string{"/testsidecar", "ask", "127.0.0.1:1"}, UID: 7, ReadOnlyRoot: true}).Wait()
	if code != 1 || !strings.Contains(out, "connection refused") {
		t.Errorf("got exit code %d and output %q, want 1 and connection refused", code, out)
	}
}

func TestPodsSurviveARestartOfTheRuntime(t *testing.T) {
	r := Start(t)
	r.Conflist("10-pods.conflist", ptp(r, ""))
	p := r.MustRunPod(PodSpec{})
	app := p.Run(Container{Name: "app", Command: []string{"/testsidecar", "app", "shop", "0.0.0.0:8080"}})
	app.WaitOutput("ready")
	r.Restart()
	got, err := sidecar.Ask(r.Node.Net(rig.Root), "tcp", netip.AddrPortFrom(p.IPs()[0], 8080).String())
	if err != nil || got.Listener != "shop" {
		t.Errorf("after the restart: got %v, %v; want an answer of shop", got, err)
	}
}

func TestAPluginsErrorReachesTheCaller(t *testing.T) {
	r := Start(t)
	r.Conflist("10-pods.conflist", `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"ptp","ipam":{"type":"absent"}}]}`)
	if _, err := r.RunPod(PodSpec{}); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("got error %v, want one that names the missing plugin", err)
	}
}
