package iptables

import (
	"fmt"
	"strings"
	"testing"
)

func TestTablesHaveTheKernelsChainsAndOurs(t *testing.T) {
	for _, c := range []struct {
		table         Table
		builtin, ours string
	}{
		{Raw, "PREROUTING OUTPUT", "ISTIO_INBOUND ISTIO_OUTPUT_DNS"},
		{Mangle, "PREROUTING INPUT FORWARD OUTPUT POSTROUTING", "ISTIO_DROP ISTIO_INBOUND ISTIO_DIVERT ISTIO_TPROXY ISTIO_OUTPUT"},
		{Nat, "PREROUTING INPUT OUTPUT POSTROUTING", "ISTIO_INBOUND ISTIO_IN_REDIRECT ISTIO_OUTPUT ISTIO_OUTPUT_DNS ISTIO_REDIRECT"},
		{"filter", "INPUT FORWARD OUTPUT", ""},
	} {
		if got := strings.Join(c.table.Builtins(), " "); got != c.builtin {
			t.Errorf("built-in chains of %s: got %s, want %s", c.table, got, c.builtin)
		}
		if got := strings.Join(OwnChains(c.table), " "); got != c.ours {
			t.Errorf("chains of ours in %s: got %s, want %s", c.table, got, c.ours)
		}
	}
}

func TestDifferencesReadAsLinesOfADiff(t *testing.T) {
	for _, c := range []struct {
		d    Difference
		want string
	}{
		{Difference{Nat, ChainOutput, 3, "-j A", "-j B"}, "nat ISTIO_OUTPUT rule 3: is -j A, should be -j B"},
		{Difference{Table: "inet sluice", Have: "table"}, "inet sluice: unwanted table"},
		{Difference{Raw, ChainOutput, 1, "", "-j B"}, "raw ISTIO_OUTPUT rule 1: missing -j B"},
		{Difference{Nat, ChainOutput, 12, "-j A", ""}, "nat ISTIO_OUTPUT rule 12: unwanted -j A"},
		{Difference{Nat, ChainOutput, 0, "", "chain"}, "nat ISTIO_OUTPUT: missing chain"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestPortsAreJoinedAndPackedIntoFifteenSlots(t *testing.T) {
	ranges := func(pairs ...int) (list []PortRange) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, PortRange{Port(pairs[i]), Port(pairs[i+1])})
		}
		return list
	}
	for _, c := range []struct {
		in   []PortRange
		want string
	}{
		{nil, "[]"},
		{ranges(80, 80), "[[80]]"},
		{ranges(81, 81, 80, 80), "[[80:81]]"},
		{ranges(80, 90, 85, 88, 92, 92), "[[80:90 92]]"},
		{ranges(80, 90, 91, 95), "[[80:95]]"},
		{ranges(80, 90, 92, 95), "[[80:90 92:95]]"},
		{ranges(65535, 65535, 1, 65534), "[[1:65535]]"},
		{ranges(1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15, 17, 17, 19, 19, 21, 21, 23, 23, 25, 25, 27, 27, 29, 29), "[[1 3 5 7 9 11 13 15 17 19 21 23 25 27 29]]"},
		{ranges(1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15, 17, 17, 19, 19, 21, 21, 23, 23, 25, 25, 27, 27, 29, 29, 31, 31), "[[1 3 5 7 9 11 13 15 17 19 21 23 25 27 29] [31]]"},
		{ranges(1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23), "[[1:2 4:5 7:8 10:11 13:14 16:17 19:20] [22:23]]"},
	} {
		if got := fmt.Sprint(PackPorts(c.in)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestProtocolsAreReadByNameAndNumber(t *testing.T) {
	for text, want := range map[string]string{
		"-p TCP -j RETURN": "-p tcp -j RETURN", "-p 17 -j RETURN": "-p udp -j RETURN", "-p all -j RETURN": "-j RETURN", "-p 0 -j RETURN": "-j RETURN",
		"! -p icmp -j RETURN": "! -p icmp -j RETURN", "-p 58 -j RETURN": "-p ipv6-icmp -j RETURN", "-p icmpv6 -j RETURN": "-p ipv6-icmp -j RETURN",
		"! -p ipv6-icmp -j RETURN": "! -p ipv6-icmp -j RETURN", "-p 250 -j RETURN": "-p 250 -j RETURN", "! -p unheard -j RETURN": "! -p unheard -j RETURN",
		"-p unheard -j RETURN": "-p unheard -j RETURN", "-p a -j RETURN": "-p a -j RETURN", "-p 300 -j RETURN": "-p 300 -j RETURN",
	} {
		r, err := ParseRule(text)
		if err != nil || r.String() != want {
			t.Errorf("%s: got %s, %v, want %s", text, r, err, want)
		}
	}
}

func TestNoProtocolAtAllIsNotEveryProtocol(t *testing.T) {
	for _, text := range []string{"! -p all", "! -p 0"} {
		r, err := ParseRule(text + " -j RETURN")
		if err != nil || len(r.Match) != 1 {
			t.Fatalf("%s: got %s, %v", text, r, err)
		}
		if o, ok := r.Match[0].(Opaque); !ok || r.String() != text+" -j RETURN" {
			t.Errorf("%s: got %#v of %s, want it kept unread", text, o, r)
		}
	}
}
