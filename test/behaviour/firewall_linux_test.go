package behaviour

import (
	"net/netip"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// guarded is a pod in TPROXY mode with a firewall of its own, which lets in what
// opens a connection or belongs to one, and nothing else.
func guarded(t *testing.T, b builder.Backend, f iptables.Family) (r *rig.Rig, to string) {
	t.Helper()
	r = rig.New(t)
	family := rig.Family(f)
	for _, state := range []string{"INVALID", "UNTRACKED"} {
		r.Pod.Iptables(rig.NFT, family, "-A", "INPUT", "-p", "tcp", "-m", "conntrack", "--ctstate", state, "-j", "DROP")
	}
	r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: true})
	apply(t, r, scene{settings: with(classic(), mode, "TPROXY")}.config(t, b))
	return r, netip.AddrPortFrom(itself(f), 8080).String()
}

func TestAFirewallThatGoesByStateLetsCapturedConnectionsIn(t *testing.T) {
	everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
		r, to := guarded(t, b, f)
		got, err := r.World.Ask(rig.Root, "tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		if got.Listener != sidecar.In {
			t.Errorf("landed on %s, want In", got.Listener)
		}
	})
}

// Why captured connections stay in conntrack, although keeping them out is cheaper.
func TestAFirewallThatGoesByStateRefusesWhatIsKeptOutOfConntrack(t *testing.T) {
	for _, f := range iptables.Families() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			r, to := guarded(t, builder.BackendIptablesNft, f)
			r.Pod.Iptables(rig.NFT, rig.Family(f), "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "CT", "--notrack")
			r.Pod.Iptables(rig.NFT, rig.Family(f), "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--sport", "8080", "-j", "CT", "--notrack")
			if got, err := r.World.Ask(rig.Root, "tcp", to); err == nil {
				t.Errorf("%s answered: then captured connections need not be tracked", got.Listener)
			}
		})
	}
}
