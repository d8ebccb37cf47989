package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/sluicemesh/sluice/test/sock"
)

// Resolver answers DNS messages.
type Resolver interface {
	// Datagram answers one message.
	Datagram(ctx context.Context, query []byte) ([]byte, error)
	// Stream answers on a connection until its end.
	Stream(ctx context.Context, c *net.TCPConn) error
}

// Relay is a Resolver that passes queries to an upstream resolver as they are,
// from the sockets of its Net. Answers are awaited for two seconds.
type Relay struct {
	Net      sock.Net
	Upstream netip.AddrPort
	// From is the source of the queries; the zero value leaves it to the
	// kernel. With a port, the one tuple that an application used before can be
	// used again.
	From netip.AddrPort
}

// upstreamTimeout is how long an answer is awaited.
const upstreamTimeout = 2 * time.Second

// Datagram implements [Resolver].
func (r Relay) Datagram(ctx context.Context, query []byte) ([]byte, error) {
	c, err := r.Net.Dial(ctx, "udp", r.Upstream.String(), sock.Options{From: r.From})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(upstreamTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.Write(query); err != nil {
		return nil, err
	}
	answer := make([]byte, maxDatagram)
	n, err := c.Read(answer)
	return answer[:n], err
}

// Stream implements [Resolver].
func (r Relay) Stream(ctx context.Context, c *net.TCPConn) error {
	upstream, err := r.Net.Dial(ctx, "tcp", r.Upstream.String(), sock.Options{})
	if err != nil {
		reset(c)
		return err
	}
	defer upstream.Close()
	defer context.AfterFunc(ctx, func() { upstream.Close() })()
	return Pipe(c, upstream.(*net.TCPConn))
}

const maxDatagram = 65535

type dnsStream struct{ Resolver }

func (d dnsStream) Handle(ctx context.Context, a Arrival) error { return d.Stream(ctx, a.Conn) }

func (s *Sidecar) listenUDP() error {
	var errs []error
	for _, l := range s.loopback() {
		if l.at.Port() == 0 {
			continue
		}
		socket, err := s.config.Net.ListenPacket(s.ctx, "udp", l.at.String(), sock.Options{})
		if familyOff(err) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", l.name, err))
			continue
		}
		s.receive(socket, &s.log, DNS, s.answer)
	}
	return errors.Join(errs...)
}

func (s *Sidecar) answer(query []byte, r Report) ([]byte, error) {
	if s.config.Resolver == nil {
		return []byte(r.String() + "\n"), nil
	}
	return s.config.Resolver.Datagram(s.ctx, query)
}

// receive answers datagrams one after the other until the group ends.
func (g group) receive(socket net.PacketConn, l *log, name string, answer func([]byte, Report) ([]byte, error)) {
	g.closeAtEnd(socket)
	g.wait.Go(func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := socket.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // a client's port was closed: ICMP reports it here
			}
			r := Report{Listener: name, Network: "udp", Local: addrPort(socket.LocalAddr()), Peer: addrPort(from)}
			l.add(r)
			reply, err := answer(buf[:n], r)
			if err == nil {
				_, err = socket.WriteTo(reply, from)
			}
			l.fail(err)
		}
	})
}
