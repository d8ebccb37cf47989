package sidecar

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/sluicemesh/sluice/test/sock"
)

// Seen is what an HTTP server of the tests answers: what it saw of a request.
type Seen struct {
	// Server is the server's name.
	Server string `json:"server"`
	// Peer is who the connection came from.
	Peer netip.AddrPort `json:"peer"`
	// Certificate is the X-Forwarded-Client-Cert header; empty without one.
	Certificate string `json:"certificate"`
	// Token is the request's own token, sent back.
	Token string `json:"token"`
}

// tokenHeader carries a request's token. A token that is readable on the wire
// shows that the wire is.
const tokenHeader = "X-Token"

// HTTPApp is an HTTP server beside or beyond a sidecar. It answers every
// request with what it saw.
type HTTPApp struct {
	group
}

// StartHTTPApp listens on each literal address.
func StartHTTPApp(n sock.Net, name string, at ...string) (*HTTPApp, error) {
	a := &HTTPApp{newGroup()}
	server := &http.Server{Handler: answerSeen(name), ReadHeaderTimeout: AskTimeout}
	a.closeAtEnd(server)
	for _, address := range at {
		l, err := n.Listen(a.ctx, "tcp", address, sock.Options{})
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("HTTP app %s: %w", name, err)
		}
		a.wait.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
	}
	return a, nil
}

func answerSeen(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Seen{ // the client notices a cut answer
			Server: name, Peer: peer, Certificate: r.Header.Get(certificateHeader), Token: r.Header.Get(tokenHeader)})
	})
}

// Get asks an HTTP server of the tests, with a token of the request's own. The
// status is 0 if no answer came; what was seen is empty unless it is 200.
func Get(n sock.Net, to netip.AddrPort, token string, o ...sock.Options) (status int, seen Seen, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), AskTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to.String()+"/headers", nil)
	if err != nil {
		return 0, Seen{}, err
	}
	request.Header.Set(tokenHeader, token)
	transport := &http.Transport{DisableKeepAlives: true}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return n.Dial(ctx, network, address, append(o, sock.Options{})[0])
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, Seen{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		err = json.NewDecoder(response.Body).Decode(&seen)
	}
	return response.StatusCode, seen, err
}
