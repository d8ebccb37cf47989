package validation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// listeners stand in for the proxy of one family, and for the application.
type listeners struct {
	open    []io.Closer
	serving sync.WaitGroup
	secrets *secrets
}

func (l *listeners) close() {
	for _, c := range l.open {
		c.Close()
	}
	l.serving.Wait()
}

// seat is one listening socket to be.
type seat struct {
	verdict     builder.Verdict
	as          Identity
	network     string // tcp or udp
	at          netip.AddrPort
	transparent bool
}

// listen opens the ports of the proxy, or in attach mode looks who has them.
func (r *run) listen(ctx context.Context, c Check) []Finding {
	if r.facts.Attach {
		return r.lookAtSockets(c)
	}
	l := &listeners{secrets: r.secrets}
	var findings []Finding
	for _, s := range r.seats(c.Family) {
		if err := l.sit(ctx, s); err != nil {
			findings = append(findings, taken(s, err))
		}
	}
	if len(findings) > 0 {
		l.close()
		return findings
	}
	r.listeners[c.Family] = l
	return nil
}

func taken(s seat, err error) Finding {
	got := err.Error()
	if errors.Is(err, syscall.EADDRINUSE) {
		got = "somebody else who listens there already"
	}
	return Finding{fmt.Sprintf("%s port %s %s", s.verdict, s.network, s.at), "a free port", got, true}
}

// seats: wildcards, as a proxy has them, but the agent's DNS listener on
// loopback, as the rules suppose.
func (r *run) seats(f iptables.Family) []seat {
	proxy, app := r.roles(f)
	all, lo := f.Any().Addr(), loopback(f)
	at := func(a netip.Addr, port iptables.Port) netip.AddrPort { return netip.AddrPortFrom(a, uint16(port)) }
	seats := []seat{
		{builder.ToOut, proxy, "tcp", at(all, r.config.OutboundPort), false},
		{builder.ToIn, proxy, "tcp", at(all, r.config.InboundPort), r.config.TProxied() && r.facts.NetAdmin},
		{builder.Direct, app, "tcp", at(all, r.facts.ProbePort), false},
	}
	if r.config.DNSOf(f).On() {
		seats = append(seats,
			seat{builder.ToDNS, proxy, "tcp", at(lo, r.config.DNSPort), false},
			seat{builder.ToDNS, proxy, "udp", at(lo, r.config.DNSPort), false})
	}
	return seats
}

// roles are who plays the proxy and who the application.
func (r *run) roles(f iptables.Family) (proxy, app Identity) {
	p := plan{r.config, r.facts, r.facts.of(f), identities(r.config, r.facts)}
	apps, proxies := p.parted()
	proxy = append(proxies, p.ids...)[0]
	app = append(apps, p.ids...)[0]
	return proxy, app
}

// sit opens a socket and serves it until close. Who serves has the identity
// too: an accepted connection's packets are those of who accepted it.
func (l *listeners) sit(ctx context.Context, s seat) error {
	config := net.ListenConfig{Control: s.control}
	config.SetMultipathTCP(false) // SO_ORIGINAL_DST belongs to plain TCP sockets
	network := s.network + "4"
	if s.at.Addr().Is6() {
		network = s.network + "6"
	}
	return actAs(s.as, func() error {
		if s.network == "udp" {
			c, err := config.ListenPacket(ctx, network, s.at.String())
			if err == nil {
				l.serve(c, func() { l.answerDatagrams(c, s) })
			}
			return err
		}
		n, err := config.Listen(ctx, network, s.at.String())
		if err == nil {
			l.serve(n, func() { l.accept(n, s) })
		}
		return err
	})
}

func (l *listeners) serve(c io.Closer, loop func()) {
	l.open = append(l.open, c)
	l.serving.Add(1)
	go func() {
		defer l.serving.Done()
		loop()
	}()
}

// control runs before bind. SO_REUSEADDR, which Go sets, does not let two
// listen on one port; SO_REUSEPORT would, and is not set.
func (s seat) control(network, _ string, c syscall.RawConn) error {
	var err error
	controlErr := c.Control(func(fd uintptr) {
		if s.transparent {
			err = transparent(int(fd), network)
		}
	})
	return errors.Join(controlErr, err)
}

func transparent(fd int, network string) error {
	if network[len(network)-1] == '6' {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1)
}

// patience bounds a conversation over lo.
const patience = 2 * time.Second

func (l *listeners) accept(n net.Listener, s seat) {
	_ = actAs(s.as, func() error { // the identity was taken once already
		for {
			c, err := n.Accept()
			if err != nil {
				return err
			}
			l.serving.Add(1)
			go func() {
				defer l.serving.Done()
				l.answer(c.(*net.TCPConn), s)
			}()
		}
	})
}

// answer tells only those who bring a secret of this run.
func (l *listeners) answer(c *net.TCPConn, s seat) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var key secret
	if _, err := io.ReadFull(c, key[:]); err != nil {
		return
	}
	at := landing{listener: s.verdict, peer: addrPort(c.RemoteAddr())}
	at.original, at.err = destination(c, s)
	if answer, ok := l.secrets.land(key, at); ok {
		_, _ = c.Write(answer[:]) // the client notices what it does not get
	}
}

func (l *listeners) answerDatagrams(c net.PacketConn, s seat) {
	_ = actAs(s.as, func() error {
		b := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(b)
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			if err != nil || n != len(secret{}) {
				continue
			}
			if answer, ok := l.secrets.land(secret(b[:n]), landing{listener: s.verdict, peer: addrPort(from)}); ok {
				_, _ = c.WriteTo(answer[:], from)
			}
		}
	})
}

// destination is where the client wanted to go. A transparent connection, and
// one that nothing redirected, has that as its own address.
func destination(c *net.TCPConn, s seat) (netip.AddrPort, error) {
	local := addrPort(c.LocalAddr())
	if s.transparent || s.verdict == builder.Direct {
		return local, nil
	}
	return originalDestination(c, local)
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
