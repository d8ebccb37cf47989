package behaviour

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/test/sock"
)

// everywhere runs a test for each backend and family.
func everywhere(t *testing.T, do func(*testing.T, builder.Backend, iptables.Family)) {
	t.Helper()
	for _, b := range backends() {
		for _, f := range iptables.Families() {
			t.Run(fmt.Sprintf("%s/%s", b, f), func(t *testing.T) {
				t.Parallel()
				do(t, b, f)
			})
		}
	}
}

// forwarding is a pod whose proxy hands inbound connections on to the application.
func forwarding(t *testing.T, b builder.Backend, settings map[string]string) (*rig.Rig, *sidecar.App) {
	t.Helper()
	r := rig.New(t)
	c := scene{settings: settings}.config(t, b)
	user := rig.Proxy
	if c.Mode == builder.TProxyMode {
		user = rig.RootProxy
	}
	r.Pod.Sidecar(user, sidecar.Config{Transparent: c.Mode == builder.TProxyMode, Handler: sidecar.Forward{InboundMark: uint32(c.TProxyMark)}})
	server := r.Pod.App(rig.App, "app", rig.Pod4.String()+":8080", "["+rig.Pod6.String()+"]:8080")
	apply(t, r, c)
	return r, server
}

func TestTheApplicationSeesTheClientsAddressInTPROXYMode(t *testing.T) {
	for name, mark := range map[string]string{"default mark": "", "another mark and table": "0x77"} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
				settings := with(classic(), mode, "TPROXY", "istio-inbound-tproxy-mark", mark, "istio-inbound-tproxy-route-table", "77")
				r, server := forwarding(t, b, settings)
				got, err := r.World.Ask(rig.Root, "tcp", netip.AddrPortFrom(itself(f), 8080).String())
				if err != nil {
					t.Fatalf("the answer did not come back: %v", err)
				}
				if got.Listener != "app" || got.Peer.Addr() != world(f) {
					t.Errorf("%s saw the peer %s, want app to see %s", got.Listener, got.Peer, world(f))
				}
				if n := len(server.Reports()); n != 1 {
					t.Errorf("the application saw %d connections, want 1", n)
				}
			})
		})
	}
}

func TestTheApplicationSeesTheProxysOwnAddressInREDIRECTMode(t *testing.T) {
	everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
		r, _ := forwarding(t, b, classic())
		got, err := r.World.Ask(rig.Root, "tcp", netip.AddrPortFrom(itself(f), 8080).String())
		if err != nil {
			t.Fatal(err)
		}
		if want := builder.Passthrough(f); got.Listener != "app" || got.Peer.Addr() != want {
			t.Errorf("%s saw the peer %s, want app to see %s", got.Listener, got.Peer, want)
		}
	})
}

func TestWithoutTheRuleTheAnswerNeverComesBackToTheProxy(t *testing.T) {
	everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
		r, _ := forwarding(t, b, with(classic(), mode, "TPROXY"))
		version := map[iptables.Family]string{iptables.V4: "-4", iptables.V6: "-6"}[f]
		r.Pod.IP(version, "rule", "del", "fwmark", "1337", "lookup", "133")
		to := netip.AddrPortFrom(itself(f), 8080).String()
		if got, err := r.World.Ask(rig.Root, "tcp", to); err == nil {
			t.Fatalf("answered by %s although the ip rule is gone", got.Listener)
		}
		diffs := check(t, r, scene{settings: with(classic(), mode, "TPROXY")}.config(t, b))
		if len(diffs) != 1 {
			t.Errorf("check found %q, want just the missing rule", diffs)
		}
		apply(t, r, scene{settings: with(classic(), mode, "TPROXY")}.config(t, b))
		if _, err := r.World.Ask(rig.Root, "tcp", to); err != nil {
			t.Errorf("apply did not repair it: %v", err)
		}
	})
}

func check(t *testing.T, r *rig.Rig, c builder.Config) []string {
	t.Helper()
	var diffs []string
	inPod(t, r, func() (err error) {
		diffs, _, err = interception.Check(context.Background(), c, interception.Options{})
		return err
	})
	return diffs
}

// A routed packet to an address that nobody owns is what a pod in front of a
// virtual machine sees: TPROXY takes it by the rule and the route alone.
func TestTPROXYTakesWhatIsRoutedThroughThePod(t *testing.T) {
	foreign := either(rig.Foreign4, rig.Foreign6)
	everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
		r := rig.New(t)
		r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: true})
		apply(t, r, scene{settings: with(classic(), mode, "TPROXY")}.config(t, b))
		to := netip.AddrPortFrom(foreign(f), 443)
		got, err := r.World.Ask(rig.Root, "tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		if got.Listener != sidecar.In || got.Local != to {
			t.Errorf("%s got it at %s, want In at %s", got.Listener, got.Local, to)
		}
	})
}

func TestASourcePortThatTheAgentJustUsedStillGetsItsAnswer(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, m := range []string{"REDIRECT", "TPROXY"} {
			t.Run(network+"/"+m, func(t *testing.T) {
				everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) { reusePort(t, b, f, network, m) })
			})
		}
	}
}

// reusePort lets the agent ask a resolver from one port, then the application
// from the same one, over and over. Over TCP once: a port that has seen both
// sides close rests for a minute.
func reusePort(t *testing.T, b builder.Backend, f iptables.Family, network, m string) {
	r := rig.New(t)
	resolver := netip.AddrPortFrom(service(f), 53).String()
	r.World.App(rig.Root, "world", resolver)
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
	apply(t, r, scene{settings: with(classic(), mode, m, dns, "true", allDNS, "true")}.config(t, b))
	r.Pod.Sysctl("net/ipv4/tcp_tw_reuse", "1") // the same addresses and ports again, after a second
	from := sock.Options{From: netip.AddrPortFrom(itself(f), 40053), Reuse: true}
	for i := range map[string]int{"udp": 6, "tcp": 2}[network] {
		as, want := rig.Proxy, "world"
		if i%2 == 1 {
			as, want = rig.App, sidecar.DNS
		}
		if network == "tcp" && i > 0 {
			time.Sleep(1200 * time.Millisecond)
		}
		got, err := sidecar.Ask(r.Pod.Net(as), network, resolver, from)
		if err != nil {
			t.Fatalf("question %d of uid %d: %v", i+1, as.UID, err)
		}
		if got.Listener != want {
			t.Errorf("question %d of uid %d was answered by %s, want %s", i+1, as.UID, got.Listener, want)
		}
	}
}
