package libcni

import (
	"fmt"
	"testing"

	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestPluginAndInitContainerLeaveNamespacesEqual(t *testing.T) {
	n := newNode(t)
	sluice := program.Build(t, "cmd/sluice")
	for _, backend := range backends() {
		for _, mode := range []string{"REDIRECT", "TPROXY"} {
			t.Run(backend+" "+mode, func(t *testing.T) {
				byPlugin, byInit := n.kubernetesPod(meshed("sidecar.istio.io/interceptionMode", mode)), n.plainPod()
				empty := byInit.State()
				byPlugin.mustAdd(n.list("1.0.0", n.sluice(fmt.Sprintf(`"backend":%q`, backend))))
				r := byInit.RunCmd(rig.Cmd{Args: []string{
					sluice, "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-g", "1337", "-m", mode,
					"-i", "*", "-x", "", "-b", "*", "-d", "15020,15021,15090", "--backend", backend,
				}})
				if r.Err != nil {
					t.Fatalf("sluice: %v\n%s", r.Err, r.Stderr)
				}
				if diff := byInit.State().Diff(byPlugin.State()); diff != "" {
					t.Errorf("from the init container's to the plugin's:\n%s", diff)
				}
				if empty.Diff(byInit.State()) == "" {
					t.Error("neither programmed anything")
				}
			})
		}
	}
}
