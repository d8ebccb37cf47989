package iptables

import (
	"net/netip"
	"testing"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// canonicalRules pairs each kind of match and target with the text that
// iptables-save 1.8.9 prints for it; a kernel test holds the texts against it.
func canonicalRules() []struct {
	rule Rule
	text string
} {
	port := OnePort(80)
	return []struct {
		rule Rule
		text string
	}{
		{Rule{}, ""},
		{Rule{Match: []Match{From(prefix("10.0.0.0/8")), To(prefix("192.0.2.1/32"))}}, "-s 10.0.0.0/8 -d 192.0.2.1/32"},
		{Rule{Match: []Match{TCP(), Out("eth+"), In("lo"), Not(To(prefix("10.0.0.0/8")))}}, "! -d 10.0.0.0/8 -i lo -o eth+ -p tcp"},
		{Rule{Match: []Match{Not(In("eth0")), Not(TCP())}, Target: Return()}, "! -i eth0 ! -p tcp -j RETURN"},
		{Rule{Match: []Match{Protocol{Number: 200}}, Target: Drop()}, "-p 200 -j DROP"},
		{Rule{Match: []Match{TCP(), ToPort(port)}, Target: Accept()}, "-p tcp -m tcp --dport 80 -j ACCEPT"},
		{Rule{Match: []Match{UDP(), FromPort(PortRange{1, 9}), Not(ToPort(port))}}, "-p udp -m udp --sport 1:9 ! --dport 80"},
		{Rule{Match: []Match{TCP(), ToPorts(port, PortRange{90, 99})}}, "-p tcp -m multiport --dports 80,90:99"},
		{Rule{Match: []Match{TCP(), MultiPort{Either, []PortRange{port}, true}}}, "-p tcp -m multiport ! --ports 80"},
		{Rule{Match: []Match{TCP(), MultiPort{SrcSide, []PortRange{port}, false}}}, "-p tcp -m multiport --sports 80"},
		{Rule{Match: []Match{ByUID(OneID(1337)), Not(ByGID(IDRange{5, 7}))}}, "-m owner --uid-owner 1337 -m owner ! --gid-owner 5-7"},
		{Rule{Match: []Match{Marked(1337)}}, "-m mark --mark 0x539"},
		{Rule{Match: []Match{Not(PacketMark{Value: 1, Mask: 0xff})}}, "-m mark ! --mark 0x1/0xff"},
		{Rule{Match: []Match{ConnMarked(1337)}}, "-m connmark --mark 0x539"},
		{Rule{Match: []Match{InState(StateRelated, StateEstablished)}}, "-m conntrack --ctstate RELATED,ESTABLISHED"},
		{Rule{Match: []Match{Not(InState(StateInvalid))}}, "-m conntrack ! --ctstate INVALID"},
		{Rule{Match: []Match{Reply()}}, "-m conntrack --ctdir REPLY"},
		{Rule{Match: []Match{Not(Reply())}}, "-m conntrack --ctdir ORIGINAL"},
		{Rule{Match: []Match{TCP(), TransparentSocket{}}}, "-p tcp -m socket --transparent"},
		{Rule{Match: []Match{TCP(), TransparentSocket{NoWildcard: true}}}, "-p tcp -m socket --transparent --nowildcard"},
		{Rule{Match: []Match{TCP(), Opens()}}, "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"},
		{Rule{Match: []Match{TCP(), ToPort(port), Not(Opens())}}, "-p tcp -m tcp --dport 80 ! --tcp-flags FIN,SYN,RST,ACK SYN"},
		{Rule{Match: []Match{Not(InSet{Name: "out", Side: DstSide})}}, "-m set ! --match-set out dst"},
		{Rule{Match: []Match{TCP(), Not(PortInSet{Name: "sluice-p-0123456789abcdef", Side: DstSide})}}, "-p tcp -m set ! --match-set sluice-p-0123456789abcdef dst"},
		{Rule{Target: JumpTo{Chain: ChainOutput, Goto: true}}, "-g ISTIO_OUTPUT"},
		{Rule{Match: []Match{TCP()}, Target: Redirect{15001}}, "-p tcp -j REDIRECT --to-ports 15001"},
		{Rule{Match: []Match{TCP()}, Target: TProxy{15006, netip.IPv4Unspecified(), 1337, FullMask}}, "-p tcp -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff"},
		{Rule{Target: SetMark{1337, FullMask}}, "-j MARK --set-xmark 0x539/0xffffffff"},
		{Rule{Target: SaveMark{FullMask, FullMask}}, "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"},
		{Rule{Target: RestoreMark{FullMask, FullMask}}, "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"},
		{Rule{Target: Zone{2}}, "-j CT --zone 2"},
		{Rule{Target: Log{"sluice: in "}}, `-j LOG --log-prefix "sluice: in "`},
		{Rule{Comment: "plain-1", Target: Return()}, "-m comment --comment plain-1 -j RETURN"},
		{Rule{Comment: `it's a "b" \c`, Target: Return()}, `-m comment --comment "it\'s a \"b\" \\c" -j RETURN`},
		{Rule{Match: []Match{From(prefix("2001:db8::/32"))}, Target: Return()}, "-s 2001:db8::/32 -j RETURN"},
	}
}

func TestRulesHaveOneCanonicalText(t *testing.T) {
	for _, c := range canonicalRules() {
		if got := c.rule.String(); got != c.text {
			t.Errorf("%#v\n got %s\nwant %s", c.rule, got, c.text)
		}
		if err := c.rule.Validate(); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func TestCanonicalTextParsesToTheSameRule(t *testing.T) {
	for _, c := range canonicalRules() {
		got, err := ParseRule(c.text)
		if err != nil || !got.Equal(c.rule) {
			t.Errorf("%s\n got %#v %v\nwant %#v", c.text, got, err, c.rule)
		}
		for _, m := range got.Match {
			if o, ok := m.(Opaque); ok {
				t.Errorf("%s: %v was not understood", c.text, o.Words)
			}
		}
	}
}

func TestMatchesThatConstrainNothingAreRefused(t *testing.T) {
	empty := []Match{
		Source{}, Destination{}, InInterface{}, OutInterface{}, Protocol{}, MultiPort{}, PacketMark{}, ConnMark{},
		ConnState{}, InSet{}, PortInSet{}, Opaque{}, ToPorts(PortRange{9, 8}), Source{Prefix: prefix("10.0.0.1/8")},
		InInterface{Name: "sixteen-bytes-xx"}, ToPort(OnePort(80)), // a port of no protocol
		Opens(),
	}
	for _, m := range empty {
		if err := (Rule{Match: []Match{m}}).Validate(); err == nil {
			t.Errorf("%#v is accepted", m)
		}
	}
	if err := (Rule{Match: []Match{UDP(), Opens()}}).Validate(); err == nil {
		t.Error("TCP flags of UDP are accepted")
	}
	targets := []Target{Verdict(""), JumpTo{}, Redirect{}, TProxy{}, SetMark{}, SaveMark{}, RestoreMark{}, Zone{}, Log{}, OpaqueTarget{}}
	for _, target := range targets {
		if err := (Rule{Target: target}).Validate(); err == nil {
			t.Errorf("%#v is accepted", target)
		}
	}
	if err := (Rule{Comment: "two\nlines"}).Validate(); err == nil {
		t.Error("a comment of two lines is accepted")
	}
}

func TestMultiportCountsARangeTwice(t *testing.T) {
	var ports []PortRange
	for i := range 7 {
		ports = append(ports, PortRange{Port(10 * (i + 1)), Port(10*(i+1) + 1)})
	}
	fits := append(ports[:7:7], OnePort(9))
	if err := (Rule{Match: []Match{TCP(), ToPorts(fits...)}}).Validate(); err != nil {
		t.Errorf("15 slots: %v", err)
	}
	if err := (Rule{Match: []Match{TCP(), ToPorts(append(fits, OnePort(99))...)}}).Validate(); err == nil {
		t.Error("16 slots are accepted")
	}
}
