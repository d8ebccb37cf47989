package iptables

import (
	"fmt"
	"strings"
	"testing"
)

func TestHeaderConditionsComeFirstInOneOrderTheOthersAsTheyStand(t *testing.T) {
	head := []Match{TCP(), Out("b"), In("a"), To(prefix("192.0.2.2/32")), From(prefix("192.0.2.1/32"))}
	want := "-s 192.0.2.1/32 -d 192.0.2.2/32 -i a -o b -p tcp -m connmark --mark 0x2 -m mark --mark 0x1"
	for range head {
		head = append(head[1:], head[0])
		r := Rule{Match: append([]Match{ConnMarked(2)}, append(head, Marked(1))...)}
		if got := r.String(); got != want {
			t.Errorf("%v\n got %s\nwant %s", r.Match, got, want)
		}
	}
}

func TestNeighbouringPortsShareTheirModule(t *testing.T) {
	from, to := FromPort(OnePort(1)), ToPort(OnePort(2))
	for _, c := range []struct {
		match []Match
		want  string
	}{
		{[]Match{from, UDP(), to}, "-p udp -m udp --sport 1 --dport 2"},
		{[]Match{UDP(), from, Marked(1), to}, "-p udp -m udp --sport 1 -m mark --mark 0x1 -m udp --dport 2"},
		{[]Match{UDP(), Marked(1), to, from}, "-p udp -m mark --mark 0x1 -m udp --dport 2 --sport 1"},
		{[]Match{Not(UDP()), TCP(), to}, "! -p udp -p tcp -m tcp --dport 2"},
	} {
		if got := (Rule{Match: c.match}).String(); got != c.want {
			t.Errorf("%v\n got %s\nwant %s", c.match, got, c.want)
		}
	}
}

func TestRefusalsShowTheRuleAndWhatIsWrongWithIt(t *testing.T) {
	const noLine = "a comment must be one line of at most 255 bytes"
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{Match: []Match{Marked(1), Protocol{}}, Target: Drop()}, `rule "-p 0 -m mark --mark 0x1 -j DROP": protocol without a number`},
		{Rule{Match: []Match{ToPort(OnePort(80))}}, `rule "--dport 80": a port without a protocol`},
		{Rule{Match: []Match{Not(TCP()), FromPort(OnePort(80))}}, `rule "! -p tcp --sport 80": a port without a protocol`},
		{Rule{Match: []Match{TCP(), FromPort(OnePort(80))}}, ""},
		{Rule{Target: JumpTo{}}, `rule "-j \"\"": chain without a name`},
		{Rule{Comment: strings.Repeat("x", 255)}, ""},
		{Rule{Comment: strings.Repeat("x", 256)}, fmt.Sprintf("rule %q: %s", "-m comment --comment "+strings.Repeat("x", 256), noLine)},
		{Rule{Comment: "a b~"}, ""},
		{Rule{Comment: "a\x1fb"}, fmt.Sprintf("rule %q: %s", "-m comment --comment \"a\x1fb\"", noLine)},
		{Rule{Comment: "a\x7fb"}, fmt.Sprintf("rule %q: %s", "-m comment --comment \"a\x7fb\"", noLine)},
	} {
		got := ""
		if err := c.rule.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%#v\n got %s\nwant %s", c.rule, got, c.want)
		}
	}
}

func TestOnlyJumpsHaveAChain(t *testing.T) {
	for _, c := range []struct {
		target Target
		want   string
	}{
		{nil, ""}, {Drop(), ""}, {Jump("OWN"), "OWN"}, {JumpTo{Chain: "OWN", Goto: true}, "OWN"},
	} {
		if got := (Rule{Target: c.target}).JumpChain(); got != c.want {
			t.Errorf("%v: got %q, want %q", c.target, got, c.want)
		}
	}
}
