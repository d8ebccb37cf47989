package sidecar

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/sluicemesh/sluice/test/sock"
)

// App is a server beside or beyond a sidecar: it answers every connection and
// datagram with a report under its name. On a connection it then sends back
// what it is sent, so that a test can hold one open.
type App struct {
	group
	name string
	log  log
}

// StartApp listens on each literal address, for connections and, on the same
// port, for datagrams. An address has one family: "0.0.0.0:80" is IPv4 only.
// Where a namespace has several addresses, datagrams want the one address that
// they are sent to: from a wildcard the kernel picks the answer's source anew.
func StartApp(n sock.Net, name string, at ...string) (*App, error) {
	a := &App{name: name, group: newGroup()}
	for _, address := range at {
		if err := a.listen(n, address); err != nil {
			a.Close()
			return nil, fmt.Errorf("app %s: %w", name, err)
		}
	}
	return a, nil
}

// Reports returns what has arrived so far, in order.
func (a *App) Reports() []Report { return a.log.all() }

func (a *App) listen(n sock.Net, at string) error {
	l, err := n.Listen(context.Background(), "tcp", at, sock.Options{})
	if err != nil {
		return err
	}
	a.accept(l, a.serve)
	p, err := n.ListenPacket(context.Background(), "udp", at, sock.Options{})
	if err != nil {
		return err
	}
	a.receive(p, &a.log, a.name, func(_ []byte, r Report) ([]byte, error) { return []byte(r.String() + "\n"), nil })
	return nil
}

func (a *App) serve(c *net.TCPConn) {
	r := Report{Listener: a.name, Network: "tcp", Local: addrPort(c.LocalAddr()), Peer: addrPort(c.RemoteAddr())}
	a.log.add(r)
	if _, err := fmt.Fprintln(c, r); err != nil {
		return
	}
	_, _ = io.Copy(c, c) // the client's end is the end, however it comes
}
