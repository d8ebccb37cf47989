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
	return Set{iptables.SetName(list), f, list}
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
