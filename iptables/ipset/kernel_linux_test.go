package ipset

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func open(t *testing.T) (*rig.Namespace, *Conn) {
	t.Helper()
	n := rig.NewNamespace(t, "set")
	var c *Conn
	n.Do(func() {
		var err error
		if c, err = Open(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { c.Close() })
	return n, c
}

// many are n prefixes that do not touch each other.
func many(n int, f iptables.Family) Set {
	var list []netip.Prefix
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>15), byte(i >> 7), byte(i << 1), 0}), 24)
		if f == iptables.V6 {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 7), byte(i << 1)}), 48)
		}
		list = append(list, p)
	}
	return Set{Name: iptables.SetName(list), Family: f, Elements: list}
}

func TestSetsAreWrittenOnceListedByIpsetAndReadBackEqual(t *testing.T) {
	n, c := open(t)
	sets := []Set{many(3, iptables.V4), many(10000, iptables.V4), many(10000, iptables.V6), many(2, iptables.V6)}
	for _, want := range []int{4, 0} {
		got, err := c.Ensure(t.Context(), sets)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%d sets written, want %d", got, want)
		}
	}
	if diffs, err := c.Check(t.Context(), sets); err != nil || len(diffs) > 0 {
		t.Errorf("check found %v, %v, want nothing", diffs, err)
	}
	text := n.MustRun("ipset", "save")
	if got := strings.Count(text, "\nadd "); got != 20005 {
		t.Errorf("ipset lists %d elements, want 20005", got)
	}
	if !strings.Contains(text, "add "+sets[0].Name+" 11.0.4.0/24") || strings.Contains(text, filling) {
		t.Error("ipset does not list the sets as they should be")
	}
}

func TestAnEditedSetIsFoundAndReplacedUnderTheRulesThatUseIt(t *testing.T) {
	n, c := open(t)
	s := many(100, iptables.V4)
	if _, err := c.Ensure(t.Context(), []Set{s}); err != nil {
		t.Fatal(err)
	}
	n.Iptables(rig.NFT, rig.IPv4, "-A", "OUTPUT", "-m", "set", "--match-set", s.Name, "dst", "-j", "ACCEPT")
	n.MustRun("ipset", "del", s.Name, "11.0.4.0/24")
	if diffs, err := c.Check(t.Context(), []Set{s}); err != nil || len(diffs) != 1 {
		t.Errorf("check found %v, %v, want one difference", diffs, err)
	}
	if got, err := c.Ensure(t.Context(), []Set{s}); err != nil || got != 1 {
		t.Errorf("%d sets written, %v, want 1", got, err)
	}
	if diffs, err := c.Check(t.Context(), []Set{s}); err != nil || len(diffs) != 0 {
		t.Errorf("after repair check found %v, %v, want nothing", diffs, err)
	}
}

func TestTidyRemovesWhatNoRuleNeedsAndLeavesOthersSets(t *testing.T) {
	n, c := open(t)
	n.MustRun("ipset", "create", "somebodys", "hash:net")
	used, kept, idle := many(5, iptables.V4), many(6, iptables.V4), many(7, iptables.V4)
	if _, err := c.Ensure(t.Context(), []Set{used, kept, idle}); err != nil {
		t.Fatal(err)
	}
	n.Iptables(rig.NFT, rig.IPv4, "-A", "OUTPUT", "-m", "set", "--match-set", used.Name, "dst", "-j", "ACCEPT")
	if got, err := c.Tidy(t.Context(), []Set{kept}); err != nil || got != 1 {
		t.Errorf("%d sets removed, %v, want the 1 idle one", got, err)
	}
	names := strings.Fields(n.MustRun("ipset", "list", "-n"))
	want := map[string]bool{"somebodys": true, used.Name: true, kept.Name: true}
	for _, name := range names {
		if !want[name] {
			t.Errorf("%s is still there", name)
		}
	}
	if len(names) != len(want) {
		t.Errorf("sets are %v, want %v", names, want)
	}
}

// manyPorts are n single ports that do not touch each other, and a range.
func manyPorts(n int) Set {
	var list []iptables.PortRange
	for i := range n {
		list = append(list, iptables.OnePort(iptables.Port(2*i+1)))
	}
	list = append(list, iptables.PortRange{First: 40000, Last: 40009})
	return Set{Name: iptables.PortSetName(list), Ports: list}
}

func TestPortsAreWrittenOnceListedByIpsetAndReadBackEqual(t *testing.T) {
	n, c := open(t)
	sets := []Set{manyPorts(16), many(3, iptables.V6), manyPorts(5000)}
	for _, want := range []int{3, 0} {
		got, err := c.Ensure(t.Context(), sets)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%d sets written, want %d", got, want)
		}
	}
	text := n.MustRun("ipset", "save")
	if got := strings.Count(text, "\nadd "+sets[2].Name); got != 5010 {
		t.Errorf("ipset lists %d ports, want 5010", got)
	}
	for _, want := range []string{"create " + sets[0].Name + " bitmap:port range 0-65535", "add " + sets[0].Name + " 31\n", "add " + sets[0].Name + " 40009\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("ipset does not list %q", want)
		}
	}
}

func TestAnEditedSetOfPortsIsFoundAndReplaced(t *testing.T) {
	n, c := open(t)
	s := manyPorts(20)
	for _, edit := range [][]string{{"del", s.Name, "40003"}, {"add", s.Name, "2"}, {"flush", s.Name}} {
		if _, err := c.Ensure(t.Context(), []Set{s}); err != nil {
			t.Fatal(err)
		}
		n.MustRun("ipset", edit...)
		if diffs, err := c.Check(t.Context(), []Set{s}); err != nil || len(diffs) != 1 {
			t.Errorf("after %v check found %v, %v, want one difference", edit, diffs, err)
		}
		if got, err := c.Ensure(t.Context(), []Set{s}); err != nil || got != 1 {
			t.Errorf("after %v %d sets written, %v, want 1", edit, got, err)
		}
	}
	if diffs, err := c.Check(t.Context(), []Set{s}); err != nil || len(diffs) != 0 {
		t.Errorf("after repair check found %v, %v, want nothing", diffs, err)
	}
}

func TestRulesOfBothFamiliesAskOneSetOfPorts(t *testing.T) {
	ports := manyPorts(200)
	rule := iptables.Rule{Match: []iptables.Match{iptables.TCP(), iptables.PortInSet{Name: ports.Name, Side: iptables.DstSide, Ranges: ports.Ports}}}
	of := func(f iptables.Family) iptables.Ruleset {
		return iptables.Ruleset{Family: f, Chains: []iptables.Chain{{Table: iptables.Nat, Name: "OUTPUT", Rules: []iptables.Rule{rule}}}}
	}
	sets := For(of(iptables.V4), of(iptables.V6))
	if len(sets) != 1 || !sets[0].equal(ports) {
		t.Fatalf("rules need %v, want the one set %v", sets, ports)
	}
	rule.Match[1] = iptables.PortInSet{Name: ports.Name, Side: iptables.DstSide}
	for _, f := range iptables.Families() {
		got := Fill(of(f), sets).Chains[0].Rules[0].Match[1].(iptables.PortInSet)
		if len(got.Ranges) != len(ports.Ports) {
			t.Errorf("%s: filled with %d ranges, want %d", f, len(got.Ranges), len(ports.Ports))
		}
	}
}
