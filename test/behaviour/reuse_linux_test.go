package behaviour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/test/sock"
)

// ending answers, waits for the client's word, and ends the connection: by a
// reset, or in order.
type ending struct{ reset bool }

func (e ending) Handle(_ context.Context, a sidecar.Arrival) error {
	if _, err := fmt.Fprintln(a.Conn, a.Report); err != nil {
		return err
	}
	if _, err := a.Conn.Read(make([]byte, 1)); err != nil {
		return err
	}
	if e.reset {
		return a.Conn.SetLinger(0)
	}
	return nil
}

// A connection that has ended stays in conntrack for a while. The next one of the
// same ports finds it there: after a reset by the proxy its first packet even
// counts as established. And what rests in TIME_WAIT is a socket of the proxy's.
func TestAConnectionFromThePortOfAnEndedOneReachesTheProxyToo(t *testing.T) {
	for _, m := range []string{"REDIRECT", "TPROXY"} {
		for _, e := range []ending{{reset: true}, {reset: false}} {
			t.Run(fmt.Sprintf("%s/reset %t", m, e.reset), func(t *testing.T) {
				everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
					again(t, e, scene{settings: with(classic(), mode, m)}.config(t, b), f)
				})
			})
		}
	}
}

// Why the state of conntrack does not decide: its way leads around the proxy.
func TestByConntracksStateTheSecondConnectionWouldReachTheApplication(t *testing.T) {
	for _, f := range iptables.Families() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			r, to := ended(t, ending{reset: true}, scene{settings: with(classic(), mode, "TPROXY")}.config(t, builder.BackendIptablesNft), f)
			r.Pod.Iptables(rig.NFT, rig.Family(f), "-t", "mangle", "-I", "ISTIO_TPROXY", "-p", "tcp", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ISTIO_DIVERT")
			landed := []string{}
			for range 2 {
				landed = append(landed, fromOnePort(t, r, to, f))
			}
			if want := []string{sidecar.In, "app"}; !slices.Equal(landed, want) {
				t.Errorf("landed on %v, want %v: else the state would do", landed, want)
			}
		})
	}
}

// again connects over and over from one port, while the application listens too.
func again(t *testing.T, e ending, c builder.Config, f iptables.Family) {
	r, to := ended(t, e, c, f)
	for i := range 3 {
		if got := fromOnePort(t, r, to, f); got != sidecar.In {
			t.Errorf("connection %d landed on %s, want In", i+1, got)
		}
	}
}

// ended is a pod whose proxy ends its connections so.
func ended(t *testing.T, e ending, c builder.Config, f iptables.Family) (r *rig.Rig, to string) {
	t.Helper()
	r = rig.New(t)
	r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: c.Mode == builder.TProxyMode, Handler: e})
	to = netip.AddrPortFrom(itself(f), 8080).String()
	r.Pod.App(rig.App, "app", to)
	apply(t, r, c)
	return r, to
}

// fromOnePort is who answers a connection, which is over then.
func fromOnePort(t *testing.T, r *rig.Rig, to string, f iptables.Family) string {
	t.Helper()
	conn, err := r.World.Dial(rig.Root, "tcp", to, sock.Options{From: netip.AddrPortFrom(world(f), 40123), Reuse: true})
	// The client's own socket still waits for the last acknowledgement.
	for end := time.Now().Add(2 * time.Second); errors.Is(err, syscall.EADDRNOTAVAIL) && time.Now().Before(end); time.Sleep(time.Millisecond) {
		conn, err = r.World.Dial(rig.Root, "tcp", to, sock.Options{From: netip.AddrPortFrom(world(f), 40123), Reuse: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := sidecar.Question(conn)
	if err != nil {
		t.Fatal(err)
	}
	toTheEnd(t, conn, got.Listener == sidecar.In)
	return got.Listener
}

// toTheEnd lets the server end the connection and sees it end.
func toTheEnd(t *testing.T, c net.Conn, waits bool) {
	t.Helper()
	defer c.Close()
	if !waits {
		return
	}
	if _, err := c.Write([]byte{'!'}); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.Copy(io.Discard, c)
}

// Under SYN cookies there is no socket yet when the client's second packet
// comes. The application's own listener must not get it.
func TestConnectionsUnderSYNCookiesReachTheProxy(t *testing.T) {
	for _, m := range []string{"REDIRECT", "TPROXY"} {
		t.Run(m, func(t *testing.T) {
			everywhere(t, func(t *testing.T, b builder.Backend, f iptables.Family) {
				r := rig.New(t)
				r.Pod.Sysctl("net/ipv4/tcp_syncookies", "2") // always
				r.Pod.Sidecar(rig.RootProxy, sidecar.Config{Transparent: m == "TPROXY"})
				to := netip.AddrPortFrom(itself(f), 8080).String()
				r.Pod.App(rig.App, "app", to)
				apply(t, r, scene{settings: with(classic(), mode, m)}.config(t, b))
				got, err := r.World.Ask(rig.Root, "tcp", to)
				if err != nil {
					t.Fatal(err)
				}
				if got.Listener != sidecar.In {
					t.Errorf("landed on %s, want In", got.Listener)
				}
			})
		})
	}
}
