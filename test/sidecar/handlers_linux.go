package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/sluicemesh/sluice/test/sock"
)

// Answer answers each connection with its report and ends it.
type Answer struct{}

// Handle implements [Handler].
func (Answer) Handle(_ context.Context, a Arrival) error {
	_, err := fmt.Fprintln(a.Conn, a.Report)
	return err
}

// Forward proxies to the original destination: what arrived at Out goes out as
// the proxy, what arrived at In goes to the application from 127.0.0.6 or ::6,
// or, through a transparent listener, from the client's own address with the
// inbound mark.
type Forward struct {
	// InboundMark is the mark of TPROXY mode; 0 means 1337.
	InboundMark uint32
}

// Handle implements [Handler].
func (f Forward) Handle(ctx context.Context, a Arrival) error {
	upstream, err := a.Net.Dial(ctx, "tcp", a.Original.String(), f.socket(a))
	if err != nil {
		reset(a.Conn)
		return fmt.Errorf("forward %v: %w", a.Report, err)
	}
	defer upstream.Close()
	defer context.AfterFunc(ctx, func() { upstream.Close() })()
	return Pipe(a.Conn, upstream.(*net.TCPConn))
}

// The addresses from which a sidecar hands a connection to its application.
var (
	six4 = netip.MustParseAddr("127.0.0.6")
	six6 = netip.MustParseAddr("::6")
)

// socket picks the source of the connection that continues an arrival.
func (f Forward) socket(a Arrival) sock.Options {
	switch {
	case a.Listener != In:
		return sock.Options{}
	case a.Transparent && a.Local == a.Original:
		// The client's port too would be the client's own connection over again:
		// one tuple, which conntrack has already.
		from := netip.AddrPortFrom(a.Peer.Addr(), 0)
		return sock.Options{From: from, Transparent: true, Mark: f.mark()}
	case a.Original.Addr().Is6():
		return sock.Options{From: netip.AddrPortFrom(six6, 0)}
	default:
		return sock.Options{From: netip.AddrPortFrom(six4, 0)}
	}
}

func (f Forward) mark() uint32 {
	if f.InboundMark == 0 {
		return 1337
	}
	return f.InboundMark
}

// halfCloser is what TCP and TLS connections have in common.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// reset makes the coming close a reset: the client shall see a failure, not an
// empty answer.
func reset(c net.Conn) {
	switch c := c.(type) {
	case *net.TCPConn:
		_ = c.SetLinger(0)
	case *tls.Conn:
		reset(c.NetConn())
	case *stream:
		reset(c.halfCloser)
	}
}

// Pipe copies both ways until both sides have finished, passing on each half's
// end.
func Pipe(a, b *net.TCPConn) error { return pipe(a, b) }

func pipe(a, b halfCloser) error {
	done := make(chan error, 1)
	go func() { done <- half(a, b) }()
	return errors.Join(half(b, a), <-done)
}

func half(to, from halfCloser) error {
	_, err := io.Copy(to, from)
	if err != nil { // a reset travels on as a reset
		reset(to)
		to.Close()
		return err
	}
	if err := to.CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
