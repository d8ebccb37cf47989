package iptables

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// contents writes all that Parse read of a dump on one line.
func contents(rs Ruleset) string {
	texts := []string{fmt.Sprint(rs.Family)}
	for _, c := range rs.Chains {
		text := fmt.Sprintf("%s %s(%s %d:%d)", c.Table, c.Name, c.Policy, c.Count.Packets, c.Count.Bytes)
		for _, r := range c.Rules {
			text += fmt.Sprintf(" [%d:%d] %s;", r.Count.Packets, r.Count.Bytes, r.Raw)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestEachLineOfADumpCounts(t *testing.T) {
	for _, c := range []struct{ dump, want string }{
		{"", "IPv4"},
		{"# a comment\n\n  \n*nat\nCOMMIT\n", "IPv4"},
		{"*filter\n:INPUT DROP [3:4]\n[1:60] -A INPUT -j ACCEPT\nCOMMIT\n", "IPv4, filter INPUT(DROP 3:4) [1:60] -j ACCEPT;"},
		{":OWN - [1:2]\n:OWN2 -\n:INPUT ACCEPT", "IPv4, nat OWN( 1:2), nat OWN2( 0:0), nat INPUT(ACCEPT 0:0)"},
		{"-P INPUT DROP\n-N OWN\n-A OWN -j DROP", "IPv4, nat INPUT(DROP 0:0), nat OWN( 0:0) [0:0] -j DROP;"},
		{"*raw\n-A OUTPUT -j A\n*filter\n-A OUTPUT -j B\n* raw\n-A OUTPUT -j C", "IPv4, raw OUTPUT( 0:0) [0:0] -j A; [0:0] -j C;, filter OUTPUT( 0:0) [0:0] -j B;"},
		{"-A OUTPUT -c 7 420 -j ACCEPT", "IPv4, nat OUTPUT( 0:0) [7:420] -c 7 420 -j ACCEPT;"},
		{"-A OUTPUT --set-counters 7 420", "IPv4, nat OUTPUT( 0:0) [7:420] --set-counters 7 420;"},
		{"[1:2] -A OUTPUT -c 7 420", "IPv4, nat OUTPUT( 0:0) [1:2] -c 7 420;"},
		{"  -A   OUTPUT  -j DROP\r\n-A OUTPUT", "IPv4, nat OUTPUT( 0:0) [0:0] -j DROP; [0:0] ;"},
	} {
		rs, err := Parse(V4, c.dump)
		if got := contents(rs); err != nil || got != c.want {
			t.Errorf("%q\n got %s, %v\nwant %s", c.dump, got, err, c.want)
		}
	}
}

func TestParseRefusesWhatIsNoDumpAndSaysWhy(t *testing.T) {
	for _, c := range []struct{ bad, reason string }{
		{"hello", "not a line of iptables-save"},
		{"-A", "not a line of iptables-save"},
		{"-A  ", "not a line of iptables-save"},
		{":X", "a chain line needs a name and a policy"},
		{":X - [1]", "bad counters"},
		{":X - [1:a]", "bad counters"},
		{"[a:1] -A OUTPUT", "bad counters"},
		{"[1] -A OUTPUT", "bad counters"},
		{"[1:1]", "not a rule"},
		{"[1:1] -I OUTPUT", "not a rule"},
		{"-P INPUT", "-P needs a chain and a policy"},
		{`-A OUTPUT -m comment --comment "open`, "unclosed quote"},
		{"-A OUTPUT !", `"!" at the end of a rule`},
		{"-A OUTPUT -s", "-s without a value"},
		{"-A OUTPUT -j", "-j without a value"},
		{"-A OUTPUT -m", "-m without a value"},
		{"-A OUTPUT -m mark --mark", "--mark without a value"},
		{"-A OUTPUT --dport 80", "--dport belongs to no match"},
		{"-A OUTPUT stray", `"stray" belongs to no option`},
		{"-A OUTPUT -s ! 192.0.2.1", `"192.0.2.1" belongs to no option`},
		{"-A OUTPUT ! -j DROP", `"!" before -j`},
		{"-A OUTPUT ! -m mark", `"!" before -m`},
		{"-A OUTPUT -c 1", "-c without two numbers"},
		{"-A OUTPUT -c 1 a", "-c without two numbers"},
	} {
		want := fmt.Sprintf("line 2: %s: %q", c.reason, c.bad)
		rs, err := Parse(V4, "*nat\n"+c.bad+"\n:FINE - [0:0]")
		var pe *ParseError
		if !errors.As(err, &pe) || err.Error() != want {
			t.Errorf("%q\n got %v, %v\nwant %s", c.bad, rs, err, want)
		}
	}
}

func TestOptionsHaveLongNames(t *testing.T) {
	for _, c := range []struct{ long, short string }{
		{"--source 192.0.2.1", "-s 192.0.2.1/32"},
		{"--src 192.0.2.1", "-s 192.0.2.1/32"},
		{"--destination 192.0.2.1", "-d 192.0.2.1/32"},
		{"--dst 192.0.2.1", "-d 192.0.2.1/32"},
		{"--in-interface lo", "-i lo"},
		{"! --out-interface lo", "! -o lo"},
		{"--protocol tcp", "-p tcp"},
		{"! --fragment", "! -f"},
		{"--match mark --mark 0x1", "-m mark --mark 0x1"},
		{"--jump DROP", "-j DROP"},
		{"--goto OWN", "-g OWN"},
	} {
		r, err := ParseRule(c.long)
		if err != nil || r.String() != c.short {
			t.Errorf("%s\n got %s, %v\nwant %s", c.long, r, err, c.short)
		}
	}
}

func TestParseReadsAsMuchAsItSays(t *testing.T) {
	tooLarge := strings.Repeat("x", maxDumpBytes+1)
	for _, c := range []struct {
		name, dump, want string
	}{
		{"the longest line", "#" + strings.Repeat("x", maxLineBytes-1), ""},
		{"a longer line", "#" + strings.Repeat("x", maxLineBytes), "line 1: line too long: " + `"#` + strings.Repeat("x", 119) + `…"`},
		{"the largest dump", tooLarge[1:], "line 1: line too long: \"" + strings.Repeat("x", 120) + `…"`},
		{"a larger dump", tooLarge, "a dump of 67108865 bytes is over the limit of 67108864"},
		{"a line shown whole", strings.Repeat("x", 120), `line 1: not a line of iptables-save: "` + strings.Repeat("x", 120) + `"`},
	} {
		_, err := Parse(V4, c.dump)
		if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}
