package behaviour

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// earlier is a connection from outside that the application took, and a pod in
// TPROXY mode since. Without any rule that needs conntrack a namespace tracks
// nothing, and what it then sees in mid-stream is new to it.
func earlier(t *testing.T, b builder.Backend, f iptables.Family, tracked bool) (*rig.Rig, net.Conn) {
	t.Helper()
	r := rig.New(t)
	if tracked {
		r.Pod.Iptables(rig.NFT, rig.Family(f), "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")
	}
	to := netip.AddrPortFrom(itself(f), 8080).String()
	r.Pod.App(rig.App, "app", to)
	c, err := r.World.Dial(rig.Root, "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil { // the application's report
		t.Fatal(err)
	}
	r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: true})
	apply(t, r, scene{settings: with(classic(), mode, "TPROXY")}.config(t, b))
	return r, c
}

// exchange says whether a connection still carries a word there and back.
func exchange(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintln(c, "still there"); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && line != "still there\n" {
		err = fmt.Errorf("got %q back", line)
	}
	return err
}

func TestConnectionsFromBeforeTheRulesLiveOnInTPROXYMode(t *testing.T) {
	for _, tracked := range []bool{true, false} {
		t.Run(fmt.Sprintf("tracked %t", tracked), func(t *testing.T) {
			everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
				_, c := earlier(t, b, f, tracked)
				if err := exchange(c); err != nil {
					t.Errorf("the connection broke: %v", err)
				}
			})
		})
	}
}

// Why what does not open a connection is left alone unless it is the proxy's:
// TPROXY drops packets whose established socket is not transparent
// (net/netfilter/xt_TPROXY.c).
func TestWithoutTheirExceptionTPROXYWouldBreakThem(t *testing.T) {
	for _, f := range iptables.Families() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			r, c := earlier(t, builder.BackendIptablesNft, f, true)
			r.Pod.Iptables(rig.NFT, rig.Family(f), "-t", "mangle", "-D", "ISTIO_TPROXY", "2")
			if err := exchange(c); err == nil {
				t.Error("the connection lives on: then the rule is not needed")
			}
		})
	}
}
