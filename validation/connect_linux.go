package validation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// dialPatience bounds a connection attempt. Over lo it takes microseconds; only
// a packet that is dropped takes longer.
const dialPatience = 300 * time.Millisecond

// connectAll makes a check's connections, or sends its datagrams. After enough
// findings the rest says the same, only slower.
func (r *run) connectAll(ctx context.Context, c Check) []Finding {
	var findings []Finding
	for _, p := range c.Probes {
		try := r.connect
		if p.Packet.Protocol == iptables.ProtoUDP {
			try = r.query
		}
		got, err := try(ctx, p)
		if err != nil {
			return append(findings, Finding{What: p.String(), Want: string(p.Want), Got: err.Error()})
		}
		if f, ok := r.note(p, got); !ok {
			if findings = append(findings, f); len(findings) == enough {
				break
			}
		}
	}
	return findings
}

// connect makes one connection and says where it ended.
func (r *run) connect(ctx context.Context, p Probe) (builder.Verdict, error) {
	key, e := r.secrets.expect()
	c, err := r.dial(ctx, p)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return r.refused(p), nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return noAnswer, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return noAddress, nil
	case err != nil:
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(key[:]); err != nil {
		return stranger(p, "hung up"), nil
	}
	var answer secret
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return stranger(p, "does not know the secret"), nil
	}
	if answer != e.answer {
		return stranger(p, "answers something else"), nil
	}
	return r.landed(p, <-e.landed, addrPort(c.LocalAddr())), nil
}

// refused: all listeners of the proxy are ours and accept, so nobody took this
// connection away. On the probe port the application would have accepted it.
func (r *run) refused(p Probe) builder.Verdict {
	if p.Packet.DstPort == r.facts.ProbePort {
		return "refused"
	}
	return builder.Direct
}

// stranger: who does not know the secrets is no listener of ours. If the
// connection was to be left alone, that is whoever serves that port.
func stranger(p Probe, what string) builder.Verdict {
	if p.Want == builder.Direct {
		return builder.Direct
	}
	return builder.Verdict("somebody else, who " + what)
}

// landed compares the whole of what the listener saw.
func (r *run) landed(p Probe, at landing, client netip.AddrPort) builder.Verdict {
	want := netip.AddrPortFrom(p.Packet.Dst, uint16(p.Packet.DstPort))
	switch {
	case at.err != nil:
		return builder.Verdict(fmt.Sprintf("%s, which can't see the original destination: %v", at.listener, at.err))
	case at.original != want && at.listener != builder.ToDNS: // conntrack is asked about its default zone only, and lookups have zones
		return builder.Verdict(fmt.Sprintf("%s, with original destination %s", at.listener, at.original))
	case at.peer.Addr() != client.Addr(): // nat may have to choose another port
		return builder.Verdict(fmt.Sprintf("%s, with the client's address %s instead of %s", at.listener, at.peer, client))
	}
	return at.listener
}

func (r *run) dial(ctx context.Context, p Probe) (c net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	d := net.Dialer{LocalAddr: localAddr(p), Control: r.control(p), KeepAlive: -1}
	d.SetMultipathTCP(false)
	err = actAs(p.As, func() error {
		c, err = d.DialContext(ctx, network(p), destinationText(p))
		return err
	})
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil, context.DeadlineExceeded
	}
	return c, err
}

// localAddr binds to what the kernel would not choose by itself.
func localAddr(p Probe) net.Addr {
	src := net.IP(p.Packet.Src.AsSlice())
	if p.Packet.Protocol == iptables.ProtoUDP {
		return &net.UDPAddr{IP: src}
	}
	return &net.TCPAddr{IP: src}
}

func network(p Probe) string {
	return fmt.Sprintf("%s%d", iptables.ProtocolName(p.Packet.Protocol), p.Packet.Family())
}

func destinationText(p Probe) string {
	return netip.AddrPortFrom(p.Packet.Dst, uint16(p.Packet.DstPort)).String()
}

// control keeps on lo what is not local, and sets the mark.
func (r *run) control(p Probe) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var errs []error
		err := c.Control(func(fd uintptr) {
			if p.Packet.Out == "lo" && !r.isLocal(p.Packet.Dst) {
				errs = append(errs, unix.BindToDevice(int(fd), "lo"))
			}
			if p.Packet.Mark != 0 {
				errs = append(errs, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(p.Packet.Mark)))
			}
		})
		return errors.Join(append(errs, err)...)
	}
}

func (r *run) isLocal(a netip.Addr) bool {
	f := iptables.FamilyOf(a)
	return a.IsLoopback() || a == builder.Passthrough(f) || a == r.facts.of(f).Addr
}

// query sends one datagram with a secret and waits for its answer. If it is to
// be left alone, a second one that goes to the agent without detour shows that
// the first would have been there by now.
func (r *run) query(ctx context.Context, p Probe) (builder.Verdict, error) {
	key, e := r.secrets.expect()
	d := net.Dialer{LocalAddr: localAddr(p), Control: r.control(p)}
	var c net.Conn
	err := actAs(p.As, func() (err error) {
		c, err = d.DialContext(ctx, network(p), destinationText(p))
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write(key[:]); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return "", err
	}
	if p.Want == builder.Direct {
		if err := r.fence(ctx, p); err != nil {
			return "", err
		}
		return r.sofar(e), nil
	}
	return answered(c, e), nil
}

// sofar is where a datagram is by now.
func (r *run) sofar(e expected) builder.Verdict {
	select {
	case at := <-e.landed:
		return at.listener
	default:
		return builder.Direct
	}
}

func answered(c net.Conn, e expected) builder.Verdict {
	_ = c.SetDeadline(time.Now().Add(dialPatience))
	var answer secret
	n, err := c.Read(answer[:])
	select {
	case at := <-e.landed:
		if err != nil || n != len(answer) || answer != e.answer {
			return at.listener + ", whose answer does not come back"
		}
		return at.listener
	default:
	}
	if err == nil {
		return "somebody else"
	}
	return builder.Direct
}

// fence is a datagram to the agent's own port, which no rule captures.
func (r *run) fence(ctx context.Context, p Probe) error {
	key, e := r.secrets.expect()
	proxy, _ := r.roles(p.Packet.Family())
	at := netip.AddrPortFrom(loopback(p.Packet.Family()), uint16(r.config.DNSPort))
	err := actAs(proxy, func() error {
		c, err := (&net.Dialer{}).DialContext(ctx, network(p), at.String())
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(key[:])
		return err
	})
	if err != nil {
		return err
	}
	select {
	case <-e.landed:
		return nil
	case <-time.After(patience):
		return failed("reach the listener for name lookups", at.String(), syscall.ETIMEDOUT)
	}
}
