package nftables

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestRefusalsSayWhatOnWhatWhyAndWhatHelps(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		err  Error
		want string
	}{
		{Error{Op: "add rule", Err: refused}, "nf_tables: add rule: refused"},
		{Error{Op: "add rule", Object: "x y", Err: refused}, `nf_tables: add rule "x y": refused`},
		{Error{Op: "add rule", Missing: "nft_x: CONFIG_X", Err: refused}, "nf_tables: add rule: the kernel is missing nft_x: CONFIG_X: refused"},
		{Error{Op: "add rule", Hint: "do this", Err: refused}, "nf_tables: add rule: refused (do this)"},
	} {
		if got := c.err.Error(); got != c.want || !errors.Is(&c.err, refused) {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestTablesThatReadBackDifferentlyAreToldUpToThreeDifferences(t *testing.T) {
	var diffs []iptables.Difference
	for _, chain := range strings.Fields("a b c d e") {
		diffs = append(diffs, iptables.Difference{Table: "t", Chain: chain, Want: "chain"})
	}
	const (
		begin = "nf_tables: the rules read back differ from those sent: "
		three = begin + "t a: missing chain; t b: missing chain; t c: missing chain"
		back  = "; what was there before is there again"
	)
	refused := errors.New("refused")
	for _, c := range []struct {
		err  VerifyError
		want string
	}{
		{VerifyError{Differences: diffs[:1]}, begin + "t a: missing chain" + back},
		{VerifyError{Differences: diffs[:3]}, three + back},
		{VerifyError{Differences: diffs[:4]}, three + "; and 1 more" + back},
		{VerifyError{Differences: diffs}, three + "; and 2 more" + back},
		{VerifyError{Differences: diffs[:3], Undo: refused}, three + "; they could not be put back: refused"},
	} {
		if got := c.err.Error(); got != c.want || !errors.Is(errors.Unwrap(&c.err), c.err.Undo) {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// What nf_tables cannot say, and why not.
func TestTablesThatCannotBeExpressedAreRefusedWithTheReason(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct{ rule, reason string }{
		{"-i + -j RETURN", "an interface wildcard without a beginning"},
		{"! -o + -j RETURN", "an interface wildcard without a beginning"},
		{"-m set --match-set someones src -j RETURN", "a set whose elements are not known"},
		{"-p tcp -m multiport --ports 80,90 -j RETURN", "ports of either side in one rule"},
		{"-m ttl --ttl-eq 3 -j RETURN", "a condition that is not modelled"},
		{"! -s 0.0.0.0/0 -j RETURN", "no address is outside of all of them"},
		{"-j QUEUE", "QUEUE is not modelled"},
		{"-j TTL --ttl-set 3", "a target that is not modelled"},
		{"-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xf", "saving into a part of the connection's mark"},
		{"-j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xffffffff", "restoring into a part of the packet's mark"},
		{`-m comment --comment "a \" b" -j RETURN`, `nft has no way to write a " in a string`},
		{`-j LOG --log-prefix "a \" b"`, `nft has no way to write a " in a string`},
		{"-m comment --comment " + long + " -j RETURN", "a comment of more than 128 bytes"},
		{"-m comment --comment " + long[1:] + " -j RETURN", ""},
		{"-p sctp -m multiport --dports 80,90 -j RETURN", "ports of a protocol that has none"},
		{"! -p tcp -j REDIRECT --to-ports 80", "ports of a protocol that has none"},
		{"-j REDIRECT --to-ports 80", "ports of a protocol that has none"},
		{"-j TPROXY --on-port 1 --on-ip 0.0.0.0 --tproxy-mark 0x1/0xffffffff", "ports of a protocol that has none"},
		{"-p udp -j REDIRECT --to-ports 80", ""},
		{"-s 0.0.0.0/0 -j RETURN", ""},
	} {
		rs := parsed(t, iptables.V4, "*nat\n-A OUTPUT "+c.rule+"\n-A OUTPUT -p tcp -j RETURN\nCOMMIT\n")
		_, err := Translate(Inet, rs, iptables.Ruleset{})
		var refused *TranslateError
		switch {
		case c.reason == "":
			if err != nil {
				t.Errorf("%s: %v, want no error", c.rule, err)
			}
		case !errors.As(err, &refused) || refused.Reason != c.reason || refused.Table != iptables.Nat || refused.Chain != iptables.Output:
			t.Errorf("%s: got %v, want %s", c.rule, err, c.reason)
		case strings.Count(err.Error(), "\n") > 0 || !strings.HasPrefix(err.Error(), "nat OUTPUT: \""):
			t.Errorf("%s: got %v, want one line with the place", c.rule, err)
		}
	}
}
