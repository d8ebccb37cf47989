package iptables

import (
	"net/netip"
	"slices"
	"testing"
)

// aPacket is TCP from 192.0.2.1 port 40000 to 192.0.2.9 port 80, of a socket of
// uid 1000 and gid 2000, its mark and its connection's 0x539.
func aPacket(change func(*Packet)) Packet {
	p := Packet{
		Protocol: ProtoTCP, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.9"),
		SrcPort: 40000, DstPort: 80, In: "eth0", Out: "eth1", Owner: &Owner{UID: 1000, GID: 2000}, Mark: 0x539, ConnMark: 0x539,
	}
	if change != nil {
		change(&p)
	}
	return p
}

func inState(s State) func(*Packet) { return func(p *Packet) { p.State = s } }

func TestEachConditionHoldsForItsPackets(t *testing.T) {
	reply := func(p *Packet) { p.State, p.Reply = StateEstablished, true }
	orphan := func(p *Packet) { p.Owner = nil }
	for _, c := range []struct {
		change  func(*Packet)
		yes, no []string
	}{
		{
			nil, []string{
				"-s 192.0.2.0/30", "! -s 192.0.2.8/30", "-d 192.0.2.9", "! -d 192.0.2.1", "-i eth0", "-i eth+", "-i eth0+", "-i +", "! -i eth1", "-o eth1", "! -o lo+",
				"-p tcp", "! -p udp", "-p tcp --sport 39999:40000", "-p tcp ! --sport 80", "-p tcp --dport 80", "-p tcp ! --dport 81:90",
				"-m owner --uid-owner 1000", "-m owner ! --uid-owner 2000", "-m owner --gid-owner 1999-2000", "-m owner ! --gid-owner 1000",
				"-m mark --mark 0x539", "-m mark --mark 0x9/0xf", "-m mark ! --mark 0x539/0xf", "-m mark ! --mark 1",
				"-m connmark --mark 0x539", "-m connmark --mark 0x9/0xf", "-m connmark ! --mark 0x539/0xf", "-m connmark ! --mark 1",
				"-m conntrack --ctstate NEW", "-m conntrack ! --ctstate INVALID,RELATED", "-m conntrack --ctdir ORIGINAL",
				"-p tcp -m multiport --dports 79,80", "-p tcp -m multiport --sports 40000", "-p tcp -m multiport --ports 80", "-p tcp -m multiport --ports 40000",
				"-p tcp -m multiport ! --dports 40000", "-p tcp -m multiport ! --sports 80", "-p tcp -m multiport ! --ports 81",
			},
			[]string{
				"! -s 192.0.2.0/30", "-d 192.0.2.1", "-i eth", "-i eth1+", "-i eth00+", "-o eth0", "-p udp", "! -p tcp", "-p tcp --sport 80", "-p tcp --dport 40000",
				"-m owner --uid-owner 2000", "-m owner --gid-owner 1000", "-m mark --mark 0x9", "-m connmark --mark 0x9", "-m connmark --mark 0x539/0xf",
				"-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctdir REPLY", "-p tcp -m socket --transparent",
				"-p tcp -m multiport --dports 40000", "-p tcp -m multiport --sports 80", "-p tcp -m multiport ! --dports 80", "-p tcp -m multiport ! --ports 40000",
			},
		},
		{inState(StateNew), []string{"-m conntrack --ctstate NEW", "-m conntrack --ctdir ORIGINAL"}, []string{"-m conntrack --ctdir REPLY"}},
		{reply, []string{"-m conntrack --ctstate ESTABLISHED", "-m conntrack --ctdir REPLY", "-m connmark --mark 0x539"}, []string{"-m conntrack --ctstate NEW", "-m conntrack --ctdir ORIGINAL"}},
		{inState(StateRelated), []string{"-m connmark --mark 0x539", "-m conntrack --ctdir ORIGINAL"}, []string{"-m conntrack --ctstate NEW"}},
		{
			inState(StateInvalid), []string{"-m conntrack --ctstate INVALID", "-m mark --mark 0x539"},
			[]string{"-m connmark --mark 0x539", "-m connmark ! --mark 1", "-m conntrack --ctdir ORIGINAL", "-m conntrack --ctdir REPLY"},
		},
		{
			inState(StateUntracked), []string{"-m conntrack --ctstate UNTRACKED"},
			[]string{"-m connmark --mark 0x539", "-m connmark ! --mark 1", "-m conntrack --ctdir ORIGINAL", "-m conntrack --ctstate INVALID"},
		},
		{orphan, []string{"-m owner ! --uid-owner 1000", "-m owner ! --gid-owner 1000"}, []string{"-m owner --uid-owner 0-4294967294", "-m owner --gid-owner 0-4294967294"}},
		{func(p *Packet) { p.Transparent = true }, []string{"-p tcp -m socket --transparent"}, nil},
	} {
		p := aPacket(c.change)
		for _, text := range c.yes {
			wantAnswer(t, text, p, Yes)
		}
		for _, text := range c.no {
			wantAnswer(t, text, p, No)
		}
	}
}

func wantAnswer(t *testing.T, text string, p Packet, want Answer) {
	t.Helper()
	r, err := ParseRule(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, because := r.Holds(p); got != want || (because == nil) != (want == Yes) {
		t.Errorf("%s: got %d because of %v, want %d for %+v", text, got, because, want, p)
	}
}

func TestSetsHoldForWhatTheyHoldIfThatIsKnown(t *testing.T) {
	src, dst := prefixes("192.0.2.0/30 10.0.0.0/8"), prefixes("10.0.0.0/8 192.0.2.8/30")
	ports := []PortRange{OnePort(22), {70, 80}}
	for _, c := range []struct {
		m    Match
		want Answer
	}{
		{InSet{Side: SrcSide, Elements: src}, Yes},
		{InSet{Side: SrcSide, Elements: src, Not: true}, No},
		{InSet{Side: SrcSide, Elements: dst}, No},
		{InSet{Side: DstSide, Elements: dst}, Yes},
		{InSet{Side: DstSide, Elements: src}, No},
		{InSet{Side: DstSide, Elements: src, Not: true}, Yes},
		{InSet{Side: DstSide}, Maybe},
		{InSet{Side: DstSide, Not: true}, Maybe},
		{PortInSet{Side: DstSide, Ranges: ports}, Yes},
		{PortInSet{Side: DstSide, Ranges: ports, Not: true}, No},
		{PortInSet{Side: SrcSide, Ranges: ports}, No},
		{PortInSet{Side: SrcSide, Ranges: ports, Not: true}, Yes},
		{PortInSet{Side: DstSide}, Maybe},
		{PortInSet{Side: DstSide, Not: true}, Maybe},
		{Opaque{Words: []string{"-m", "time"}}, Maybe},
	} {
		if got, _ := (Rule{Match: []Match{c.m}}).Holds(aPacket(nil)); got != c.want {
			t.Errorf("%#v: got %d, want %d", c.m, got, c.want)
		}
	}
}

func TestTheFirstConditionThatFailsDecidesElseTheFirstThatIsNotModelled(t *testing.T) {
	unknown := func(name string) Match { return Opaque{Words: []string{"-m", name}} }
	for _, c := range []struct {
		match   []Match
		want    Answer
		because Match
	}{
		{nil, Yes, nil},
		{[]Match{TCP(), Not(UDP())}, Yes, nil},
		{[]Match{TCP(), UDP(), Out("lo")}, No, UDP()},
		{[]Match{unknown("a"), UDP(), unknown("b")}, No, UDP()},
		{[]Match{TCP(), unknown("a"), TCP(), unknown("b")}, Maybe, unknown("a")},
	} {
		got, because := Rule{Match: c.match}.Holds(aPacket(nil))
		if got != c.want || !slices.EqualFunc([]Match{because}, []Match{c.because}, sameMatch) {
			t.Errorf("%s: got %d because of %v, want %d because of %v", Rule{Match: c.match}, got, because, c.want, c.because)
		}
	}
}

func TestOnlyConditionsThatAreNotModelledAreSupposed(t *testing.T) {
	unknown := func(name string) Match { return Opaque{Words: []string{"-m", name}} }
	var asked []string
	r := Rule{Match: []Match{TCP(), unknown("a"), Not(UDP()), unknown("b"), UDP(), unknown("c")}}
	got, because := r.holdsIf(aPacket(nil), func(m Match) Answer {
		asked = append(asked, Rule{Match: []Match{m}}.String())
		return Yes
	})
	if want := []string{"-m a", "-m b"}; got != No || because != UDP() || !slices.Equal(asked, want) {
		t.Errorf("got %d because of %v, asked for %q, want %d because of %v and %q", got, because, asked, No, UDP(), want)
	}
}
