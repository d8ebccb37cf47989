package sidecar

import (
	"net/netip"
	"testing"
)

func TestReportsSurviveTheWire(t *testing.T) {
	for _, want := range []Report{
		{Listener: "In", Network: "tcp", Original: netip.MustParseAddrPort("192.0.2.2:80"), Local: netip.MustParseAddrPort("192.0.2.2:15006"), Peer: netip.MustParseAddrPort("192.0.2.1:4242")},
		{Listener: "app", Network: "udp", Local: netip.MustParseAddrPort("[2001:db8::1]:53"), Peer: netip.MustParseAddrPort("[::6]:1")},
	} {
		got, err := ParseReport(want.String())
		if err != nil || got != want {
			t.Errorf("%s: got %+v (error %v), want %+v", want, got, err, want)
		}
	}
}

func TestParseReportRefusesOtherLines(t *testing.T) {
	for _, line := range []string{"", "HTTP/1.1 200 OK", "listener=In network=tcp orig=here local=- peer=-", "listener=In network=tcp"} {
		if got, err := ParseReport(line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, got)
		}
	}
}
