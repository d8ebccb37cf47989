package sidecar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/sluicemesh/sluice/test/sock"
)

// Names is a Resolver that knows some names, and asks another Resolver about
// the rest. It must not be copied.
type Names struct {
	// Known are addresses by name, without the final dot.
	Known map[string][]netip.Addr
	// Upstream is asked about other names; without it they don't exist.
	Upstream Resolver

	mu    sync.Mutex
	asked []string
}

// Asked lists the names that were asked for, in order, with the repeats that a
// resolver makes for each family.
func (n *Names) Asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.asked...)
}

// Datagram implements [Resolver].
func (n *Names) Datagram(ctx context.Context, query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	if len(m.Questions) != 1 {
		return nil, fmt.Errorf("%d questions, want 1", len(m.Questions))
	}
	name := strings.TrimSuffix(m.Questions[0].Name.String(), ".")
	n.mu.Lock()
	n.asked = append(n.asked, name)
	n.mu.Unlock()
	addresses, known := n.Known[name]
	if !known && n.Upstream != nil {
		return n.Upstream.Datagram(ctx, query)
	}
	return answer(m, addresses, known)
}

func answer(m dnsmessage.Message, addresses []netip.Addr, known bool) ([]byte, error) {
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	q := m.Questions[0]
	for _, a := range addresses {
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return m.Pack()
}

// Stream implements [Resolver].
func (n *Names) Stream(ctx context.Context, c *net.TCPConn) error {
	for {
		query, err := readMessage(c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		reply, err := n.Datagram(ctx, query)
		if err != nil {
			return err
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return err
		}
	}
}

// readMessage reads a message of DNS over TCP; io.EOF is the end before one.
func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, fmt.Errorf("a message is cut: %w", err)
	}
	return message, nil
}

// Nameserver answers DNS for everybody, beyond any sidecar.
type Nameserver struct {
	group
	log log
}

// StartNameserver listens on each literal address, for datagrams and
// connections. Addresses are an interface's own: see [StartApp].
func StartNameserver(n sock.Net, r Resolver, at ...string) (*Nameserver, error) {
	s := &Nameserver{group: newGroup()}
	for _, address := range at {
		if err := s.listen(n, r, address); err != nil {
			s.Close()
			return nil, fmt.Errorf("name server: %w", err)
		}
	}
	return s, nil
}

func (s *Nameserver) listen(n sock.Net, r Resolver, at string) error {
	l, err := n.Listen(s.ctx, "tcp", at, sock.Options{})
	if err != nil {
		return err
	}
	s.accept(l, func(c *net.TCPConn) { s.log.fail(r.Stream(s.ctx, c)) })
	p, err := n.ListenPacket(s.ctx, "udp", at, sock.Options{})
	if err != nil {
		return err
	}
	s.receive(p, &s.log, DNS, func(query []byte, _ Report) ([]byte, error) { return r.Datagram(s.ctx, query) })
	return nil
}

// Lookup asks the name server at an address for a name's addresses of one
// family, ip4 or ip6, over udp or tcp. A name that does not exist has none, and
// is no error.
func Lookup(n sock.Net, network string, server netip.AddrPort, family, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), AskTimeout)
	defer cancel()
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return n.Dial(ctx, network, server.String(), sock.Options{})
	}}
	addresses, err := r.LookupNetIP(ctx, family, name+".")
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return nil, nil
	}
	return addresses, err
}
