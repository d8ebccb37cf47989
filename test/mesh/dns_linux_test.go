package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/test/sock"
)

// resolvers are where the pods of a rig ask, by family.
func resolvers() map[rig.Family]netip.AddrPort {
	return map[rig.Family]netip.AddrPort{
		rig.IPv4: netip.AddrPortFrom(rig.Service4(1), 53),
		rig.IPv6: netip.AddrPortFrom(rig.Service6(1), 53),
	}
}

// withDNSCaptured runs a test in a fresh pod with every backend and family.
func withDNSCaptured(t *testing.T, test func(t *testing.T, r *rig.Rig, f rig.Family)) {
	for _, b := range Backends() {
		for _, f := range rig.Families() {
			t.Run(fmt.Sprintf("%s, IPv%d", b, f), func(t *testing.T) {
				r := rig.New(t)
				Init{program(t)}.Install(t, r.Pod, Settings{DNS: true}, b)
				test(t, r, f)
			})
		}
	}
}

// Between the handshake and accept a connection has no owner: what the kernel
// sends for it then, such as the acknowledgement of an early query, must still
// be found to belong to it.
func TestAQueryOverTCPThatComesBeforeTheAgentAcceptsIsAnswered(t *testing.T) {
	withDNSCaptured(t, func(t *testing.T, r *rig.Rig, f rig.Family) {
		agent, err := r.Pod.Listen(rig.Proxy, "tcp", map[rig.Family]string{rig.IPv4: "127.0.0.1:15053", rig.IPv6: "[::1]:15053"}[f])
		if err != nil {
			t.Fatal(err)
		}
		defer agent.Close()
		client, err := r.Pod.Dial(rig.App, "tcp", resolvers()[f].String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		converse(t, client, agent)
	})
}

func converse(t *testing.T, client net.Conn, agent net.Listener) {
	t.Helper()
	if _, err := client.Write([]byte("query\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // the kernel acknowledges meanwhile
	server, err := agent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	query, err := bufio.NewReader(server).ReadString('\n')
	if err != nil || query != "query\n" {
		t.Errorf("the agent read %q, %v, want the query", query, err)
	}
	if _, err := server.Write([]byte("answer\n")); err != nil {
		t.Error(err)
	}
	server.Close() // the end is sent by a socket without an owner
	answer, err := bufio.NewReader(client).ReadString('\n')
	if err != nil || answer != "answer\n" {
		t.Errorf("the application read %q, %v, want the answer", answer, err)
	}
}

// The server closes first, so that the client's port is free at once while
// conntrack still remembers the connection.
func TestApplicationAndAgentMayUseOnePortOneAfterTheOther(t *testing.T) {
	withDNSCaptured(t, func(t *testing.T, r *rig.Rig, f rig.Family) {
		r.Pod.Sidecar(rig.Proxy, sidecar.Config{})
		r.World.Sidecar(rig.Root, sidecar.Config{Ports: sidecar.Ports{In: 53}})
		from := map[rig.Family]netip.Addr{rig.IPv4: rig.Pod4, rig.IPv6: rig.Pod6}[f]
		orders := [][]rig.User{{rig.App, rig.Proxy}, {rig.Proxy, rig.App}, {rig.App, rig.Proxy, rig.App, rig.Proxy}}
		want := map[rig.User]string{rig.App: sidecar.DNS, rig.Proxy: sidecar.In}
		for i, order := range orders {
			for _, as := range order {
				o := sock.Options{From: netip.AddrPortFrom(from, uint16(20000+i))}
				got, err := askToTheEnd(r.Pod.Net(as), resolvers()[f], o)
				if err != nil || got.Listener != want[as] {
					t.Errorf("order %v, as %v: answered by %q, %v, want %q", order, as, got.Listener, err, want[as])
				}
			}
		}
	})
}

// askToTheEnd closes after the server has, and waits until the kernel has let go
// of the port.
func askToTheEnd(n sock.Net, to netip.AddrPort, o sock.Options) (sidecar.Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sidecar.AskTimeout)
	defer cancel()
	c, err := n.Dial(ctx, "tcp", to.String(), o)
	for errors.Is(err, syscall.EADDRINUSE) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
		c, err = n.Dial(ctx, "tcp", to.String(), o)
	}
	if err != nil {
		return sidecar.Report{}, err
	}
	defer c.Close()
	line, err := io.ReadAll(c)
	if err != nil {
		return sidecar.Report{}, err
	}
	return sidecar.ParseReport(string(line))
}
