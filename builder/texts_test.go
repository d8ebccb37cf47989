package builder

import (
	"encoding"
	"fmt"
	"strings"
	"testing"
)

// Types that are read as text outside of Parse keep what they read, and say
// what they refuse.
func TestTypesReadTheirText(t *testing.T) {
	for _, c := range []struct {
		into encoding.TextUnmarshaler
		text string
		want string // "" is refused
	}{
		{new(Ports), "80,443", "80,443"}, {new(Ports), "80-80", "80"}, {new(Ports), "x", ""}, {new(Ports), "*", "*"},
		{new(CIDRs), "10.0.0.0/8", "10.0.0.0/8"}, {new(CIDRs), "*", "*"}, {new(CIDRs), "x", ""}, {new(CIDRs), "10.0.0.0/8,10.0.0.0/8,192.0.2.1", "10.0.0.0/8,192.0.2.1/32"},
		{new(IDs), "1,2-3", "1,2-3"}, {new(IDs), "7-7", "7"}, {new(IDs), "x", ""}, {new(Interface), "eth0", "eth0"}, {new(Interface), "", ""},
		{new(Backend), "auto", "auto"}, {new(Backend), "nftables", "nftables"}, {new(Backend), "iptables", "iptables"}, {new(Backend), "iptables-nft", "iptables-nft"}, {new(Backend), "iptables-legacy", "iptables-legacy"},
		{new(Mark), "0x10", "16"}, {new(RouteTable), "0x10", "16"}, {new(Mark), "", ""}, {new(RouteTable), "x", ""},
	} {
		err := c.into.UnmarshalText([]byte(c.text))
		got := ""
		if err == nil {
			got = strings.TrimSpace(fmt.Sprint(c.into))
			if s, ok := c.into.(fmt.Stringer); ok {
				got = s.String()
			} else if b, ok := c.into.(*Backend); ok {
				got = string(*b)
			}
		}
		if got != c.want {
			t.Errorf("%T from %q: got %q, %v, want %q", c.into, c.text, got, err, c.want)
		}
	}
}

func TestResolversOfNoHostAreRefused(t *testing.T) {
	for _, text := range []string{"0.0.0.0", "::", "224.0.0.1", "ff02::fb", "192.0.2.1%eth0"} {
		if got, _, err := ParseResolvers(text); err == nil {
			t.Errorf("%s was taken as %v", text, got)
		}
	}
}

func TestANameOfAUserBeginsWithALetterOrAnUnderscore(t *testing.T) {
	known := func(string) (uint32, error) { return 9, nil }
	for text, want := range map[string]bool{"a": true, "z": true, "A": true, "Z": true, "_": true, "[": false, "{": false, "`": false, "@": false, "^": false} {
		_, _, err := ParseIDs(text, known)
		if (err == nil) != want {
			t.Errorf("%q as a user's name: %v, want it accepted: %v", text, err, want)
		}
	}
}

func TestAResolvConfOfAMegabyteIsRefused(t *testing.T) {
	if _, _, err := ParseResolvConf("nameserver 192.0.2.1\n" + strings.Repeat("#\n", 1<<20)); err == nil {
		t.Error("a resolv.conf of two megabytes was read")
	}
}
