package validation

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

func capturing() builder.Config {
	c := builder.Default()
	c.IncludeCIDRs.All, c.Inbound.Except = true, true
	return c
}

func podFacts() Facts {
	return Facts{UID: 0, GID: 0, SetIDs: true, NetRaw: true, NetAdmin: true, ProbePort: 15002, Families: []FamilyFacts{
		{iptables.V4, netip.MustParseAddr("10.1.2.3"), "eth0", true, true},
		{iptables.V6, netip.MustParseAddr("2001:db8::3"), "eth0", true, true},
	}}
}

func find(t *testing.T, checks []Check, family iptables.Family, k Kind, name string) Check {
	t.Helper()
	for _, c := range checks {
		if c.Family == family && c.Kind == k && c.Name == name {
			return c
		}
	}
	t.Fatalf("want a check %s %s (%s), got none", family, name, k)
	return Check{}
}

func TestWhatPrivilegesDoNotAllowIsPlannedWithItsReason(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Facts)
		kind   Kind
		check  string
		want   string
	}{
		{"no raw packets", func(f *Facts) { f.NetRaw = false }, Packets, nameOutbound, "CAP_NET_RAW"},
		{"no address", func(f *Facts) { f.Families[0].Addr = netip.Addr{} }, Packets, nameBypass, "no IPv4 address yet"},
		{"not in the group", func(f *Facts) { f.Families[0].AllHosts = false }, Packets, nameInbound, "would leave the pod"},
		{"the proxy itself", func(f *Facts) { f.SetIDs, f.UID, f.GID = false, 1337, 1337 }, Connections, nameOutbound, "runs as the proxy"},
		{"an application", func(f *Facts) { f.SetIDs, f.UID, f.GID = false, 1000, 1000 }, Connections, nameSelfCall, "CAP_SETUID"},
		{"an application's packets", func(f *Facts) { f.SetIDs, f.UID, f.GID = false, 1000, 1000 }, Packets, nameBypass, "CAP_SETUID"},
		{"an application's packets within", func(f *Facts) { f.SetIDs, f.UID, f.GID = false, 1000, 1000 }, Packets, nameSelfCall, "CAP_SETUID"},
		{"the proxy's packets", func(f *Facts) { f.SetIDs, f.UID, f.GID = false, 1337, 1337 }, Packets, nameOutbound, "CAP_SETUID"},
		{"the proxy's packets within", func(f *Facts) { f.SetIDs, f.UID, f.GID = false, 1337, 1337 }, Packets, nameLocal, "CAP_SETUID"},
		{"attached", func(f *Facts) { f.Attach = true }, Connections, nameSelfCall, "the proxy itself listens"},
	} {
		f := podFacts()
		tt.change(&f)
		got := find(t, Plan(capturing(), f), iptables.V4, tt.kind, tt.check)
		if !strings.Contains(got.Impossible, tt.want) || len(got.Probes) > 0 {
			t.Errorf("%s: want no probe and a reason with %q, got %d probes and %q", tt.name, tt.want, len(got.Probes), got.Impossible)
		}
	}
}

func TestNothingPassesForHavingNothingToTry(t *testing.T) {
	excluded := capturing()
	excluded.ExcludeInterfaces = []builder.Interface{"lo", "eth0"}
	excluded.ExcludeOutboundPorts = builder.Ports{All: true}
	for name, c := range map[string]builder.Config{"all captured": capturing(), "nothing captured": builder.Default(), "all excluded": excluded} {
		for _, uid := range []uint32{0, 1000, 1337} {
			f := podFacts()
			f.UID, f.GID, f.SetIDs = uid, uid, uid == 0
			for _, check := range Plan(c, f) {
				if check.Kind != Listeners && check.Kind != Routes && check.Impossible == "" && len(check.Probes) == 0 {
					t.Errorf("%s, uid %d: %s has no probe and no reason", name, uid, check)
				}
			}
		}
	}
}

func TestEveryProbeWantsWhatThePolicyDecides(t *testing.T) {
	c := capturing()
	for _, check := range Plan(c, podFacts()) {
		for _, p := range check.Probes {
			if p.Packet.Reply {
				continue
			}
			if want := builder.Decide(c, p.Packet, p.Path); p.Want != want {
				t.Errorf("%s: %s: want %s, got %s", check, p, want, p.Want)
			}
		}
	}
}

func TestFarPacketsNeverCarryAnIPv6AddressThatCouldLeave(t *testing.T) {
	for _, check := range Plan(capturing(), podFacts()) {
		for _, p := range check.Probes {
			if check.Kind == Packets && check.Family == iptables.V6 && p.Path == iptables.Leaving && p.Packet.Out != "lo" && !p.Packet.Dst.IsInterfaceLocalMulticast() {
				t.Errorf("%s: want an interface-local destination, got %s", check, p)
			}
		}
	}
}

func TestConnectionsOutOfThePodAreAlwaysCapturedOnes(t *testing.T) {
	for _, check := range Plan(capturing(), podFacts()) {
		for _, p := range check.Probes {
			if check.Kind != Packets && p.Packet.Out != "lo" && p.Want != builder.ToOut {
				t.Errorf("%s: want capture, got %s for %s", check, p.Want, p)
			}
		}
	}
}

func TestExceptedIdentitiesArePlayed(t *testing.T) {
	c := capturing()
	c.ProxyUIDs = builder.IDs{iptables.OneID(1337), {First: 2000, Last: 2005}}
	c.ExcludeOwnerGroups = builder.IDs{iptables.OneID(3000)}
	got := map[iptables.Owner]bool{}
	for _, id := range identities(c, podFacts()) {
		got[*id.owner()] = true
	}
	for _, want := range []iptables.Owner{{UID: 1000, GID: 1000}, {UID: 1337, GID: 1000}, {UID: 2000, GID: 1000}, {UID: 2005, GID: 1000}, {UID: 1000, GID: 1337}, {UID: 1000, GID: 3000}} {
		if !got[want] {
			t.Errorf("want %+v among the identities, got %v", want, got)
		}
	}
}

func TestASegmentsChecksumIsRightOnlyWhenAsked(t *testing.T) {
	p := iptables.Packet{Protocol: iptables.ProtoTCP, Src: netip.MustParseAddr("10.1.2.3"), Dst: netip.MustParseAddr("192.0.2.1"), SrcPort: 4000, DstPort: 80, Out: "eth0"}
	for _, right := range []bool{true, false} {
		if got := checksum(p, segment(p, 7, right)) == 0; got != right {
			t.Errorf("right %v: want the sum over all to be zero %v, got %v", right, right, got)
		}
	}
}

func TestADatagramsHeaderNamesItsLength(t *testing.T) {
	p := iptables.Packet{Protocol: iptables.ProtoUDP, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("::1"), DstPort: 53, Out: "lo"}
	b := datagram(p, segment(p, 7, false), 0, 0)
	if got, want := int(binary.BigEndian.Uint16(b[4:])), len(b)-40; got != want {
		t.Errorf("want payload length %d, got %d", want, got)
	}
}

func TestTheTerminationMessageIsShortAndNamesTheNextStep(t *testing.T) {
	long := strings.Repeat("x", 900)
	r := Report{Results: []Result{{Check: Check{Name: "a", Family: iptables.V4, Kind: Packets}, Status: Failed, Findings: []Finding{
		{What: long}, {What: long}, {What: long}, {What: long},
	}}}}
	got := r.Termination()
	if len(got) > maxTermination || !strings.Contains(got, "Next: ") || !strings.Contains(got, "and 1 more") {
		t.Errorf("want at most %d bytes with the next step, got %d: %s", maxTermination, len(got), got)
	}
	if got := (Report{}).Termination(); got != "" {
		t.Errorf("want nothing when all is well, got %q", got)
	}
}

func TestAReportWithoutASingleCheckDoneIsNoPass(t *testing.T) {
	r := Report{Results: []Result{{Status: NotDone, Reason: "no privilege"}}}
	if r.OK() {
		t.Error("want a report in which nothing could be done not to pass")
	}
}

func TestOnlyACaptureThatHappenedProvesInterception(t *testing.T) {
	done := func(s Status, wants ...builder.Verdict) Result {
		r := Result{Status: s}
		for _, w := range wants {
			r.Check.Probes = append(r.Check.Probes, Probe{Want: w})
		}
		return r
	}
	for _, c := range []struct {
		name    string
		results []Result
		want    string
	}{
		{"a capture", []Result{done(Passed, builder.Direct, builder.ToIn)}, "interception works: 1 check passed, 0 failed, 0 could"},
		{"what is left alone anyway", []Result{done(Passed, builder.Direct), done(Passed), done(NotDone, builder.ToOut)}, "nothing is wrong, but nothing proves interception"},
		{"a failure", []Result{done(Passed, builder.ToIn), done(Failed, builder.ToOut)}, "interception does NOT work: 1 check passed, 1 failed"},
	} {
		if got := (Report{Results: c.results}).Summary(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q at the beginning", c.name, got, c.want)
		}
	}
}
