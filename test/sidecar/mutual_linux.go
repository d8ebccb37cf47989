package sidecar

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Mode is what a sidecar accepts from its peers, or speaks to them.
type Mode int32

// The modes. As a server's, Permissive takes TLS and plain text by the first
// bytes; as a client's, it speaks TLS to peers that have a sidecar.
const (
	Permissive Mode = iota
	Strict
	Disable
)

// String is how a policy spells the mode.
func (m Mode) String() string { return [...]string{"PERMISSIVE", "STRICT", "DISABLE"}[m] }

// Service is where a sidecar sends connections for an address.
type Service struct {
	// Host is the service's name, the authority of the TLS name.
	Host string
	// Port is the service's own port.
	Port uint16
	// Endpoint is the pod that serves it.
	Endpoint netip.AddrPort
	// ID is the endpoint's identity; empty if it has no sidecar.
	ID string
}

// sni is the name that sidecars use between each other.
func (s Service) sni() string { return fmt.Sprintf("outbound_.%d_._.%s", s.Port, s.Host) }

// Mutual proxies as a mesh's sidecar does: mutual TLS between sidecars, plain
// text towards the application and towards peers without one. It is made by
// [NewMutual].
type Mutual struct {
	identity Identity
	services map[netip.AddrPort]Service
	forward  Forward
	accepts  atomic.Int32
	speaks   atomic.Int32
}

// NewMutual proxies with this identity. A destination that is none of the
// services is connected to as it is, in plain text.
func NewMutual(i Identity, services map[netip.AddrPort]Service) *Mutual {
	return &Mutual{identity: i, services: services}
}

// Accept changes what new inbound connections may speak.
func (m *Mutual) Accept(mode Mode) { m.accepts.Store(int32(mode)) }

// Speak changes what new outbound connections to peers with a sidecar speak:
// Disable is plain text, everything else TLS.
func (m *Mutual) Speak(mode Mode) { m.speaks.Store(int32(mode)) }

// Handle implements [Handler].
func (m *Mutual) Handle(ctx context.Context, a Arrival) error {
	var err error
	if a.Listener == In {
		err = m.inbound(ctx, a)
	} else {
		err = m.outbound(ctx, a)
	}
	if err == nil {
		return nil
	}
	if !errors.As(err, new(answeredError)) {
		reset(a.Conn)
	}
	return fmt.Errorf("%v: %w", a.Report, err)
}

// detectionTime is how long the first bytes are awaited. A client that waits
// for the server to speak first is taken for plain text then.
const detectionTime = 200 * time.Millisecond

func (m *Mutual) inbound(ctx context.Context, a Arrival) error {
	client := newStream(a.Conn)
	mode, secured := Mode(m.accepts.Load()), client.startsTLS()
	switch {
	case mode == Strict && !secured:
		return errors.New("plain text refused")
	case mode == Disable || !secured:
		return m.toApp(ctx, a, client, "")
	}
	wrapped := tls.Server(client, m.identity.server())
	if err := wrapped.HandshakeContext(ctx); err != nil {
		return err
	}
	return m.toApp(ctx, a, newStream(wrapped), m.clientCertificate(wrapped.ConnectionState()))
}

// toApp hands a connection to the application of the pod.
func (m *Mutual) toApp(ctx context.Context, a Arrival, client *stream, certificate string) error {
	dial := func() (*stream, error) {
		c, err := a.Net.Dial(ctx, "tcp", a.Original.String(), m.forward.socket(a))
		if err != nil {
			return nil, err
		}
		return newStream(c), nil
	}
	return relay(ctx, client, dial, certificate)
}

// clientCertificate is the header by which the application learns its client.
func (m *Mutual) clientCertificate(s tls.ConnectionState) string {
	leaf := s.PeerCertificates[0]
	return fmt.Sprintf("By=%s;Hash=%x;Subject=\"\";URI=%s", m.identity.ID, sha256.Sum256(leaf.Raw), identityOf(leaf))
}

func (m *Mutual) outbound(ctx context.Context, a Arrival) error {
	return relay(ctx, newStream(a.Conn), func() (*stream, error) { return m.dialPeer(ctx, a) }, "")
}

// dialPeer connects to where the application wanted to go.
func (m *Mutual) dialPeer(ctx context.Context, a Arrival) (*stream, error) {
	service, known := m.services[a.Original]
	if !known {
		service.Endpoint = a.Original
	}
	c, err := a.Net.Dial(ctx, "tcp", service.Endpoint.String(), m.forward.socket(a))
	if err != nil {
		return nil, err
	}
	if service.ID == "" || Mode(m.speaks.Load()) == Disable {
		return newStream(c), nil
	}
	wrapped := tls.Client(c, m.identity.client(service.sni(), service.ID))
	if err := wrapped.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return newStream(wrapped), nil
}

// stream is a connection, plain or secured, whose beginning can be looked at.
type stream struct {
	halfCloser
	r *bufio.Reader
}

func newStream(c net.Conn) *stream {
	half := c.(halfCloser) // every connection of this package is one
	return &stream{half, bufio.NewReader(half)}
}

func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p) }

// begins looks at the first bytes, for at most the detection time.
func (s *stream) begins(n int) []byte {
	_ = s.SetReadDeadline(time.Now().Add(detectionTime))
	defer func() { _ = s.SetReadDeadline(time.Time{}) }()
	b, err := s.r.Peek(n)
	if err != nil { // fewer bytes, or none: the error comes again when it is read
		b = b[:min(n, s.r.Buffered())]
	}
	return b
}

// startsTLS recognises a handshake record of any version.
func (s *stream) startsTLS() bool { return bytes.Equal(s.begins(2), []byte{0x16, 0x03}) }
