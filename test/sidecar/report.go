package sidecar

import (
	"fmt"
	"net/netip"
	"strings"
)

// Report says who took a connection or datagram, and what it saw.
type Report struct {
	// Listener is Out, In, Tunnel or DNS, or an app's name.
	Listener string
	// Network is tcp or udp.
	Network string
	// Original is where the client wanted to go; the zero value if the kernel
	// doesn't tell, as for datagrams and for an app.
	Original netip.AddrPort
	// Local is the accepted socket's own address: for a transparent listener
	// what was dialled, for a redirect the listener's.
	Local netip.AddrPort
	// Peer is who it came from.
	Peer netip.AddrPort
}

// String is the one line that travels on connections.
func (r Report) String() string {
	return fmt.Sprintf("listener=%s network=%s orig=%s local=%s peer=%s",
		r.Listener, r.Network, text(r.Original), text(r.Local), text(r.Peer))
}

// ParseReport reads what String wrote.
func ParseReport(line string) (Report, error) {
	fields := map[string]string{}
	for _, f := range strings.Fields(line) {
		key, value, _ := strings.Cut(f, "=")
		fields[key] = value
	}
	r := Report{Listener: fields["listener"], Network: fields["network"]}
	if r.Listener == "" || r.Network == "" {
		return Report{}, fmt.Errorf("not a report: %q", line)
	}
	for key, into := range map[string]*netip.AddrPort{"orig": &r.Original, "local": &r.Local, "peer": &r.Peer} {
		if err := parse(fields[key], into); err != nil {
			return Report{}, fmt.Errorf("report %q: %s: %w", line, key, err)
		}
	}
	return r, nil
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

func parse(s string, into *netip.AddrPort) (err error) {
	if s == "-" {
		return nil
	}
	*into, err = netip.ParseAddrPort(s)
	return err
}
