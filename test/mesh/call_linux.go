package mesh

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// Row is one call between two pods and what came of it.
type Row struct {
	// From and To are pods.
	From, To string
	// Direct calls go to the pod's own address instead of its service's.
	Direct bool
	// Status is the HTTP status, or the word for what happened instead: reset,
	// refused, timeout, or the error's own text.
	Status string
	// Wire is how the call looked on the server's wire.
	Wire Wire
	// Client is the identity that the server learned of its client.
	Client string
	// Peer is who connected to the server: a pod, or [ItsSidecar].
	Peer string
}

// ItsSidecar is the peer of an application to which its own sidecar connects,
// from 127.0.0.6 or ::6.
const ItsSidecar = "its sidecar"

// String is the row as a sentence.
func (r Row) String() string {
	return fmt.Sprintf("%s to %s: %s; on the wire %s; client %q; connected by %q", r.From, r.To, r.Status, r.Wire, r.Client, r.Peer)
}

// Outcome is what was expected of a call and what came of it.
type Outcome struct {
	Want, Got Row
	// Packets are what came by on the server's wire.
	Packets []Packet
}

// Wrong says what is not as it should be; empty if all is.
func (o Outcome) Wrong() string {
	if o.Got == o.Want {
		return ""
	}
	return fmt.Sprintf("got  %v\nwant %v", o.Got, o.Want)
}

// Call lets the application of one pod ask that of another, and looks at the
// server's wire meanwhile. Of the row it reads whom to call.
func (m *Mesh) Call(t testing.TB, want Row, f rig.Family) Outcome {
	t.Helper()
	from, to := m.Pod(want.From), m.Pod(want.To)
	at := to.Service(f)
	if want.Direct {
		at = netip.AddrPortFrom(to.Addr(f), AppPort)
	}
	take(t, to.tap)
	token := rand.Text()
	status, seen, err := sidecar.Get(from.NS.Net(rig.App), at, token)
	packets := take(t, to.tap)
	got := Row{From: want.From, To: want.To, Direct: want.Direct, Status: statusText(status, err), Wire: Judge(packets, AppPort, token)}
	if got.Status == "200" {
		got.Client, got.Peer = clientOf(seen.Certificate), m.nameOf(seen.Peer.Addr())
	}
	if got.Status == "200" && (seen.Server != to.Name || seen.Token != token) {
		got.Status = fmt.Sprintf("answered by %s with token %q, want %q", seen.Server, seen.Token, token)
	}
	return Outcome{want, got, packets}
}

func take(t testing.TB, tap *Tap) []Packet {
	t.Helper()
	packets, err := tap.Take()
	if err != nil {
		t.Fatal(err)
	}
	return packets
}

func statusText(status int, err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}

// clientOf is the client's identity in an X-Forwarded-Client-Cert header.
func clientOf(header string) string {
	for field := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(field, "URI="); ok {
			return id
		}
	}
	return ""
}

// nameOf is the pod that has an address.
func (m *Mesh) nameOf(a netip.Addr) string {
	a = a.Unmap()
	if a == netip.MustParseAddr("127.0.0.6") || a == netip.MustParseAddr("::6") {
		return ItsSidecar
	}
	for _, p := range m.Pods {
		if a == p.Addr(rig.IPv4) || a == p.Addr(rig.IPv6) {
			return p.Name
		}
	}
	return a.String()
}
