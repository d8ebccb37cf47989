package builder

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const refused = "(refused)"

// Types that are read as text outside of Parse keep what they read, and say
// what they refuse.
func TestTypesReadTheirText(t *testing.T) {
	for _, c := range []struct {
		into encoding.TextUnmarshaler
		text string
		want string
	}{
		{new(Port), "80", "80"}, {new(Port), "0", refused}, {new(Port), "99999999999999999999", refused},
		{new(Ports), "80,443", "80,443"}, {new(Ports), "80-80", "80"}, {new(Ports), "x", refused}, {new(Ports), "*", "*"}, {new(Ports), "", ""},
		{new(CIDRs), "10.0.0.0/8", "10.0.0.0/8"}, {new(CIDRs), "*", "*"}, {new(CIDRs), "x", refused}, {new(CIDRs), "10.0.0.0/8,10.0.0.0/8,192.0.2.1", "10.0.0.0/8,192.0.2.1/32"},
		{new(IDs), "1,2-3", "1,2-3"}, {new(IDs), "7-7", "7"}, {new(IDs), "x", refused}, {new(Interface), "eth0", "eth0"}, {new(Interface), "", refused},
		{new(Mode), "redirect", "REDIRECT"}, {new(Mode), "TPROXY", "TPROXY"}, {new(Mode), " None ", "NONE"}, {new(Mode), "", refused},
		{new(FamilyChoice), "auto", "auto"}, {new(FamilyChoice), "v4", "v4"}, {new(FamilyChoice), "v6", "v6"}, {new(FamilyChoice), " DUAL", "dual"}, {new(FamilyChoice), "", refused},
		{new(Backend), "auto", "auto"}, {new(Backend), "nftables", "nftables"}, {new(Backend), "iptables", "iptables"}, {new(Backend), "iptables-nft", "iptables-nft"}, {new(Backend), "iptables-legacy", "iptables-legacy"},
		{new(Mark), "0x10", "16"}, {new(RouteTable), "0x10", "16"}, {new(Mark), "", refused}, {new(RouteTable), "x", refused},
		{new(Loopback), "127.0.0.0/8", "127.0.0.0/8"}, {new(Loopback), "x", refused},
	} {
		got := refused
		err := c.into.UnmarshalText([]byte(c.text))
		if err == nil {
			got = fmt.Sprint(reflect.ValueOf(c.into).Elem())
		}
		if got != c.want {
			t.Errorf("%T from %q: got %q, %v, want %q", c.into, c.text, got, err, c.want)
		}
	}
}

func TestResolversOfNoHostAreRefused(t *testing.T) {
	for _, text := range []string{"0.0.0.0", "::", "224.0.0.1", "ff02::fb", "192.0.2.1%eth0"} {
		if got, _, err := parseResolvers(text); err == nil {
			t.Errorf("%s was taken as %v", text, got)
		}
	}
}

func TestANameOfAUserBeginsWithALetterOrAnUnderscore(t *testing.T) {
	known := func(string) (uint32, error) { return 9, nil }
	for text, want := range map[string]bool{"a": true, "z": true, "A": true, "Z": true, "_": true, "[": false, "{": false, "`": false, "@": false, "^": false} {
		_, _, err := parseIDs(text, known)
		if (err == nil) != want {
			t.Errorf("%q as a user's name: %v, want it accepted: %v", text, err, want)
		}
	}
}

func TestAResolvConfIsReadUpToAMegabyte(t *testing.T) {
	const server = "nameserver 192.0.2.1\n"
	for size, want := range map[int]bool{1 << 20: true, 1<<20 + 1: false} {
		_, _, err := parseResolvConf(server + strings.Repeat("#", size-len(server)))
		if (err == nil) != want {
			t.Errorf("%d bytes: got %v, want them read: %v", size, err, want)
		}
	}
}
