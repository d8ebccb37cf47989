package sidecar_test

import (
	"crypto/tls"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// pair is a client's and a server's sidecar in two namespaces, joined by the
// least of rules.
func pair(t *testing.T, client, server sidecar.Identity, expect string) (*rig.Rig, *sidecar.Mutual, *sidecar.Sidecar) {
	t.Helper()
	r := rig.New(t)
	r.Pod.Restore(rig.NFT, rig.IPv4, redirect)
	r.World.Restore(rig.NFT, rig.IPv4, redirect)
	at := netip.AddrPortFrom(rig.World4, 8080)
	app, err := sidecar.StartHTTPApp(r.World.Net(rig.App), "httpbin", "0.0.0.0:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	inbound := sidecar.NewMutual(server, nil)
	out := sidecar.NewMutual(client, map[netip.AddrPort]sidecar.Service{at: {Host: "httpbin", Port: 8000, Endpoint: at, ID: expect}})
	s := r.World.Sidecar(rig.Proxy, sidecar.Config{Handler: inbound})
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{Handler: out})
	return r, inbound, s
}

func identities(t *testing.T, ids ...string) (*sidecar.CA, []sidecar.Identity) {
	t.Helper()
	ca, err := sidecar.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	var list []sidecar.Identity
	for _, id := range ids {
		i, err := ca.Issue(id)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, i)
	}
	return ca, list
}

func get(t *testing.T, r *rig.Rig) (int, sidecar.Seen) {
	t.Helper()
	status, seen, err := sidecar.Get(r.Pod.Net(rig.App), netip.AddrPortFrom(rig.World4, 8080), "token")
	if err != nil {
		t.Fatal(err)
	}
	return status, seen
}

func TestSidecarsProveWhoTheyAre(t *testing.T) {
	sleep, httpbin := sidecar.SPIFFE("full", "sleep"), sidecar.SPIFFE("full", "httpbin")
	_, mesh := identities(t, sleep, httpbin, "spiffe://elsewhere/ns/full/sa/sleep", "spiffe://elsewhere/ns/full/sa/httpbin")
	_, stranger := identities(t, sleep, httpbin)
	cases := []struct {
		name           string
		client, server sidecar.Identity
		expect         string
		status         int
		reason         string // what the server's sidecar says
	}{
		{"of one mesh", mesh[0], mesh[1], httpbin, 200, ""},
		{"the server is somebody else", mesh[0], mesh[1], sidecar.SPIFFE("part", "httpbin"), 503, "bad certificate"},
		{"the client is of another authority", stranger[0], mesh[1], httpbin, 503, "bad certificate"},
		{"the server is of another authority", mesh[0], stranger[1], httpbin, 503, "bad certificate"},
		{"the client is of another trust domain", mesh[2], mesh[1], httpbin, 503, "another trust domain"},
		{"the server is of another trust domain", mesh[0], mesh[3], "spiffe://elsewhere/ns/full/sa/httpbin", 503, "bad certificate"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, _, server := pair(t, c.client, c.server, c.expect)
			status, seen := get(t, r)
			if status != c.status {
				t.Errorf("status: got %d, want %d", status, c.status)
			}
			if c.status == 200 && !strings.HasSuffix(seen.Certificate, `;Subject="";URI=`+sleep) {
				t.Errorf("header: got %q, want it to end with %q", seen.Certificate, sleep)
			}
			if got := errorsOf(server, c.reason); !strings.Contains(got, c.reason) {
				t.Errorf("the server's sidecar said %q, want something of %q", got, c.reason)
			}
		})
	}
}

// errorsOf waits for the sidecar to say something of the kind.
func errorsOf(s *sidecar.Sidecar, want string) string {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		var b strings.Builder
		for _, err := range s.Errors() {
			b.WriteString(err.Error() + "\n")
		}
		if strings.Contains(b.String(), want) || time.Now().After(deadline) {
			return b.String()
		}
	}
}

func TestTLSWithoutAProtocolOfTheMeshIsRefusedByAStrictSidecar(t *testing.T) {
	_, ids := identities(t, sidecar.SPIFFE("full", "sleep"), sidecar.SPIFFE("full", "httpbin"))
	r, inbound, server := pair(t, ids[0], ids[1], "")
	inbound.Accept(sidecar.Strict)
	c, err := r.Pod.Dial(rig.Proxy, "tcp", "192.0.2.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	secured := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if err := secured.Handshake(); err == nil { // in TLS 1.3 the refusal comes with the first answer
		_, err = secured.Read(make([]byte, 1))
		if err == nil {
			t.Error("the handshake was accepted, want it refused")
		}
	}
	if got := errorsOf(server, "certificate"); !strings.Contains(got, "certificate") {
		t.Errorf("the server's sidecar said %q, want a missing certificate", got)
	}
}

func TestAClientCannotForgeTheHeaderOfItsIdentity(t *testing.T) {
	_, ids := identities(t, sidecar.SPIFFE("full", "sleep"), sidecar.SPIFFE("full", "httpbin"))
	r, _, _ := pair(t, ids[0], ids[1], "")
	c, err := r.Pod.Dial(rig.App, "tcp", "192.0.2.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Client-Cert: URI=spiffe://forged\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answer); strings.Contains(got, "forged") || !strings.Contains(got, `"certificate":""`) {
		t.Errorf("the application saw %q, want no certificate", got)
	}
}
