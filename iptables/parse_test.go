package iptables

import (
	"os"
	"strings"
	"testing"
)

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parsedFile(t testing.TB, f Family, name string) Ruleset {
	t.Helper()
	rs, err := Parse(f, readFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestSeedsDumpParsesWithEveryRuleUnderstood(t *testing.T) {
	rs := parsedFile(t, V4, "dumps/istio-init-2022.save")
	rules := map[string]int{}
	for _, c := range rs.Chains {
		rules[c.Name] += len(c.Rules)
		for _, r := range c.Rules {
			for _, m := range r.Match {
				if o, ok := m.(Opaque); ok {
					t.Errorf("%s: %v is not understood", r.Raw, o.Words)
				}
			}
			if r.String() != r.Raw {
				t.Errorf("is %s, was %s", r, r.Raw)
			}
		}
	}
	if got := rules[ChainOutput]; got != 9 {
		t.Errorf("ISTIO_OUTPUT has %d rules, want 9", got)
	}
	if got := rules[Input]; got != 2 {
		t.Errorf("INPUT has %d rules, want 2", got)
	}
}

func TestSeedsRestoreTextMeansWhatItsDumpSays(t *testing.T) {
	loaded := parsedFile(t, V4, "dumps/istio-init-2022.restore")
	saved := parsedFile(t, V4, "dumps/istio-init-2022.save")
	if diffs := Compare(saved, loaded); len(diffs) > 0 {
		t.Errorf("they differ: %v", diffs)
	}
}

func TestParseReadsListingsCountersAndOldSpellings(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-A OUTPUT -j RETURN", "-j RETURN"},
		{"[12:345] -A OUTPUT -j RETURN", "-j RETURN"},
		{"-A OUTPUT -p 6 --dport 80 -j RETURN", "-p tcp -m tcp --dport 80 -j RETURN"},
		{"-A OUTPUT -p tcp --destination-port 80:90 -j RETURN", "-p tcp -m tcp --dport 80:90 -j RETURN"},
		{"-A OUTPUT -s 10.0.0.0/255.0.0.0 -j RETURN", "-s 10.0.0.0/8 -j RETURN"},
		{"-A OUTPUT -s 10.1.2.3/8 -j RETURN", "-s 10.0.0.0/8 -j RETURN"},
		{"-A OUTPUT -d 10.1.2.3 -j RETURN", "-d 10.1.2.3/32 -j RETURN"},
		{"-A OUTPUT -p all -j RETURN", "-j RETURN"},
		{"-A OUTPUT -j MARK --set-mark 0x539", "-j MARK --set-xmark 0x539/0xffffffff"},
		{"-A OUTPUT -m state --state ESTABLISHED,NEW -j ACCEPT", "-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT"},
		{"-A OUTPUT -m owner ! --uid-owner 0-99 -j ACCEPT", "-m owner ! --uid-owner 0-99 -j ACCEPT"},
		{"-A OUTPUT -j CONNMARK --save-mark", "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"},
		{"-A OUTPUT -m limit --limit 3/min -p tcp -j LOG", "-p tcp -m limit --limit 3/min -j LOG"},
		{"-A OUTPUT -p tcp -m tcp --tcp-flags FIN,SYN SYN -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN SYN -j DROP"},
		{"-A OUTPUT -p tcp --syn -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"},
		{"-A OUTPUT -p tcp -m tcp ! --syn --dport 80 -j DROP", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN --dport 80 -j DROP"},
		{"-A OUTPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK ACK -j DROP", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK ACK -j DROP"},
		{"-A OUTPUT -p tcp ! -f -j DROP", "-p tcp ! -f -j DROP"},
		{"-A OUTPUT -s 10.0.0.0/255.0.255.0 -j DROP", "-s 10.0.0.0/255.0.255.0 -j DROP"},
		{"-A OUTPUT -d 10.0.0.0/255.255.255.1 -j DROP", "-d 10.0.0.0/255.255.255.1 -j DROP"},
		{"-A OUTPUT -d 10.128.0.0/255.128.0.0 -j DROP", "-d 10.128.0.0/9 -j DROP"},
		{"-A OUTPUT -d 2001:db8::/ffff:fff8:: -j DROP", "-d 2001:db8::/29 -j DROP"},
		{"-A OUTPUT -s 10.0.0.0/ffff:: -j DROP", "-s 10.0.0.0/ffff:: -j DROP"},
		{"-A OUTPUT -s 2001:db8::/255.0.0.0 -j DROP", "-s 2001:db8::/255.0.0.0 -j DROP"},
		{"-A OUTPUT -d 10.0.0.0/33 -j DROP", "-d 10.0.0.0/33 -j DROP"},
		{"-A OUTPUT -d 2001:db8::/wide -j DROP", "-d 2001:db8::/wide -j DROP"},
		{"-A OUTPUT ! -d 10.0.0.0/wide -j DROP", "! -d 10.0.0.0/wide -j DROP"},
		{"-A OUTPUT -s example.org -j DROP", "-s example.org -j DROP"},
		{"-A OUTPUT -m limit --limit 3/min", "-m limit --limit 3/min"},
		{"-A OUTPUT -m limit --limit 3/min -f -j DROP", "-m limit --limit 3/min -f -j DROP"},
		{"-A OUTPUT -m limit --limit 3/min -p tcp --limit 4/min", "-p tcp -m limit --limit 3/min -m limit --limit 4/min"},
		{"-A OUTPUT -m limit --limit 3/min -m mark --mark 0x1", "-m limit --limit 3/min -m mark --mark 0x1"},
		{"-A OUTPUT -m limit --limit 3/min ! -p tcp -j DROP", "! -p tcp -m limit --limit 3/min -j DROP"},
		{"-A OUTPUT -p tcp ! --syn -j DROP", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"},
		{"-A OUTPUT -p tcp ! --tcp-option 5 -j DROP", "-p tcp -m tcp ! --tcp-option 5 -j DROP"},
		{"-A OUTPUT -p udp -m udp --syn -j DROP", "-p udp -m udp --syn -j DROP"},
		{"-A OUTPUT -m string ! --string a ! --algo bm -j DROP", "-m string ! --string a ! --algo bm -j DROP"},
		{"-A OUTPUT -m iprange --src-range 192.0.2.1-192.0.2.9 extra -j DROP", "-m iprange --src-range 192.0.2.1-192.0.2.9 extra -j DROP"},
		{"-A OUTPUT -p udp -m tcp --dport 80 -j DROP", "-p udp -m tcp --dport 80 -j DROP"},
		{"-A OUTPUT -p tcp -m udp --dport 80 -j DROP", "-p tcp -m udp --dport 80 -j DROP"},
		{`-A OUTPUT -m comment --comment "!" -j DROP`, `-m comment --comment "!" -j DROP`},
	} {
		rs, err := Parse(V4, "*nat\n"+c.line+"\nCOMMIT\n")
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		out, _ := rs.Chain(Nat, Output)
		if len(out.Rules) != 1 || out.Rules[0].String() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.line, out.Rules, c.want)
		}
	}
}

func TestWordsSurviveQuoting(t *testing.T) {
	for _, words := range [][]string{
		{"a"}, {""}, {"a b", "c"}, {`"`}, {`\`}, {"'"}, {`a"b\c'd`, "x"}, {"\t"},
	} {
		line := strings.Join(quoteAll(words), " ")
		got, err := SplitWords(line)
		if err != nil || strings.Join(got, "|") != strings.Join(words, "|") {
			t.Errorf("%q became %s became %q %v", words, line, got, err)
		}
	}
}
