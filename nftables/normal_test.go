package nftables

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestTablesHaveTheirConditionsInOneOrderHoweverTheyWereGiven(t *testing.T) {
	port, nets := iptables.OnePort(80), []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.9/32")}
	mark := iptables.PacketMark{Value: 1, Mask: iptables.FullMask}
	state := iptables.ConnState{States: []iptables.State{iptables.StateNew}}
	connMark := iptables.ConnMark{Value: 1, Mask: iptables.FullMask}
	uid, socket := iptables.ByUID(iptables.OneID(1)), iptables.TransparentSocket{}
	r := random(t)
	for _, want := range [][]iptables.Match{
		{iptables.In("a"), iptables.Out("b"), iptables.Source{Prefix: nets[0]}, iptables.Destination{Prefix: nets[1]}, iptables.TCP(), iptables.ToPort(port), mark, state, connMark, uid, socket},
		{
			iptables.Out("b"), iptables.InSet{Side: iptables.SrcSide, Elements: nets}, iptables.InSet{Side: iptables.DstSide, Elements: nets},
			iptables.UDP(), iptables.SourcePort{Range: port}, mark, iptables.ConnDirection{}, connMark, iptables.GIDOwner{}, socket,
		},
		{
			iptables.Out("b"), iptables.InSet{Side: iptables.SrcSide, Elements: nets}, iptables.Destination{Prefix: nets[0]},
			iptables.UDP(), iptables.MultiPort{Side: iptables.SrcSide, Ranges: []iptables.PortRange{port}}, mark,
		},
		{iptables.Source{Prefix: nets[0]}, iptables.InSet{Side: iptables.DstSide, Elements: nets}, iptables.UDP()},
	} {
		for range 200 {
			got := slices.Clone(want)
			r.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
			given := slices.Clone(got)
			sortMatches(got)
			if !iptables.SameMatches(got, want) {
				t.Fatalf("%v became\n%v, want\n%v", given, got, want)
			}
		}
	}
}

func TestTablesCompareWithPortsThatAreKnown(t *testing.T) {
	one, two := iptables.OnePort(80), iptables.OnePort(90)
	for _, c := range []struct {
		ranges []iptables.PortRange
		want   iptables.Match
		reason string
	}{
		{nil, iptables.PortInSet{Side: iptables.DstSide}, "a set whose ports are not known"},
		{[]iptables.PortRange{one}, iptables.ToPort(one), ""},
		{[]iptables.PortRange{one, two}, iptables.MultiPort{Side: iptables.DstSide, Ranges: []iptables.PortRange{one, two}}, ""},
	} {
		got, reason := normalMatch(iptables.PortInSet{Side: iptables.DstSide, Ranges: c.ranges})
		if reason != c.reason || !iptables.SameMatches([]iptables.Match{got}, []iptables.Match{c.want}) {
			t.Errorf("%v: got %v, %q; want %v, %q", c.ranges, got, reason, c.want, c.reason)
		}
	}
}

func TestTablesKeepWhatMadeARuleAndLeaveOutWhatHoldsAlways(t *testing.T) {
	every := iptables.Source{Prefix: netip.MustParsePrefix("0.0.0.0/0")}
	rule := iptables.Rule{Match: []iptables.Match{every, iptables.TCP()}, Target: iptables.Return(), Why: "a setting", Comment: "words"}
	got, reason := normal(rule)
	if reason != "" || got.Why != rule.Why || got.Comment != rule.Comment || !iptables.SameMatches(got.Match, []iptables.Match{iptables.TCP()}) {
		t.Errorf("got %+v, %q; want the same without %v", got, reason, every)
	}
}

// The bits are counted as NF_CT_STATE_BIT of the kernel does.
func TestTablesStatesAreTheKernelsBits(t *testing.T) {
	want := []stateBit{{iptables.StateInvalid, 1 << 0}, {iptables.StateUntracked, 1 << 6}}
	for info, s := range []iptables.State{iptables.StateEstablished, iptables.StateRelated, iptables.StateNew} {
		want = append(want, stateBit{s, 1 << (info + 1)})
	}
	for _, w := range want {
		if !slices.Contains(states(), w) || len(states()) != len(want) {
			t.Errorf("%v lacks %v", states(), w)
		}
	}
}

func TestTablesAreMadeOfWholeRuleSetsWhateverFamilyTheyCallThemselves(t *testing.T) {
	v4, v6 := samples(t)
	want, err := Translate(Split, v4, v6)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Translate(Split, iptables.Ruleset{Chains: v4.Chains}, iptables.Ruleset{Chains: v6.Chains})
	if err != nil || got.String() != want.String() {
		t.Errorf("%v: %s", err, firstDifference(got.String(), want.String()))
	}
	var torn iptables.Ruleset
	torn.Append(iptables.Nat, iptables.Output, iptables.Rule{Target: iptables.Jump(iptables.ChainOutput)})
	if ts, err := Translate(Inet, iptables.Ruleset{}, torn); err == nil {
		t.Errorf("a jump to a missing chain became\n%s", ts)
	}
}
