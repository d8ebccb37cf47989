package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/sluicemesh/sluice/test/sock"
)

// The names of the listeners, as reports spell them.
const (
	Out    = "Out"
	In     = "In"
	Tunnel = "Tunnel"
	DNS    = "DNS"
)

// Ports are the sidecar's ports. 0 switches a listener off.
type Ports struct {
	Out, In, Tunnel, DNS uint16
}

// DefaultPorts are the mesh's, with the tunnel off.
func DefaultPorts() Ports { return Ports{Out: 15001, In: 15006, DNS: 15053} }

// Config is what a sidecar needs to know.
type Config struct {
	// Net opens its sockets.
	Net sock.Net
	// Ports are where it listens; the zero value means [DefaultPorts].
	Ports Ports
	// Transparent is TPROXY mode: In accepts what was never addressed to it.
	Transparent bool
	// Handler serves what arrives; nil means [Answer].
	Handler Handler
	// Resolver answers what arrives at DNS; nil means that the datagram or
	// connection is answered by a report.
	Resolver Resolver
}

// Arrival is an accepted connection.
type Arrival struct {
	Report
	Conn *net.TCPConn
	// Net opens the connections that serve it.
	Net sock.Net
	// Transparent says that it came through a transparent listener.
	Transparent bool
}

// Handler serves a connection until its end. The caller closes it.
type Handler interface {
	Handle(ctx context.Context, a Arrival) error
}

// Sidecar is a running sidecar.
type Sidecar struct {
	group
	config Config
	log    log
}

// Start opens all listeners and serves until Close. A family that the
// namespace has switched off is left out.
func Start(c Config) (*Sidecar, error) {
	if c.Ports == (Ports{}) {
		c.Ports = DefaultPorts()
	}
	if c.Handler == nil {
		c.Handler = Answer{}
	}
	s := &Sidecar{config: c, group: newGroup()}
	if err := errors.Join(s.listenTCP(), s.listenUDP()); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Reports returns what has arrived so far, in order.
func (s *Sidecar) Reports() []Report { return s.log.all() }

// Errors returns what went wrong while serving, in order.
func (s *Sidecar) Errors() []error { return s.log.failures() }

// listeners are the sockets to open. DNS listens on loopback only: from a
// wildcard socket an answer to a redirected query would leave with the pod's
// address, and conntrack would not recognise it.
func (s *Sidecar) listeners() []listener {
	p := s.config.Ports
	var all []listener
	for _, every := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		all = append(all,
			listener{Out, netip.AddrPortFrom(every, p.Out), false},
			listener{In, netip.AddrPortFrom(every, p.In), s.config.Transparent},
			listener{Tunnel, netip.AddrPortFrom(every, p.Tunnel), false})
	}
	return append(all, s.loopback()...)
}

func (s *Sidecar) loopback() []listener {
	return []listener{
		{DNS, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.config.Ports.DNS), false},
		{DNS, netip.AddrPortFrom(netip.IPv6Loopback(), s.config.Ports.DNS), false},
	}
}

type listener struct {
	name        string
	at          netip.AddrPort
	transparent bool
}

func (s *Sidecar) listenTCP() error {
	var errs []error
	for _, l := range s.listeners() {
		if l.at.Port() == 0 {
			continue
		}
		socket, err := s.config.Net.Listen(s.ctx, "tcp", l.at.String(), sock.Options{Transparent: l.transparent})
		if familyOff(err) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", l.name, err))
			continue
		}
		s.accept(socket, func(c *net.TCPConn) { s.serve(l, c) })
	}
	return errors.Join(errs...)
}

// familyOff recognises IPv6 switched off by sysctl (no ::1 to bind to) and at
// boot (no such sockets).
func familyOff(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func (s *Sidecar) serve(l listener, c *net.TCPConn) {
	original, err := originalDestination(c)
	a := Arrival{
		Report:      Report{l.name, "tcp", original, addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())},
		Conn:        c,
		Net:         s.config.Net,
		Transparent: l.transparent,
	}
	s.log.add(a.Report)
	s.log.fail(err)
	s.log.fail(s.handler(l).Handle(s.ctx, a))
}

func (s *Sidecar) handler(l listener) Handler {
	if l.name == DNS && s.config.Resolver != nil {
		return dnsStream{s.config.Resolver}
	}
	return s.config.Handler
}

// log is what a sidecar or app has seen.
type log struct {
	mu      sync.Mutex
	reports []Report
	errs    []error
}

func (l *log) add(r Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, r)
}

func (l *log) fail(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *log) all() []Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Report(nil), l.reports...)
}

func (l *log) failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]error(nil), l.errs...)
}
