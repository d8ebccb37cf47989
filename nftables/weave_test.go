package nftables

import (
	"slices"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// longest is the length of the longest common subsequence, by trying all.
func longest(a, b []iptables.Rule) int {
	switch {
	case len(a) == 0 || len(b) == 0:
		return 0
	case a[0].Same(b[0]):
		return 1 + longest(a[1:], b[1:])
	}
	return max(longest(a[1:], b), longest(a, b[1:]))
}

// ofPorts is a list of rules, one for each letter.
func ofPorts(letters string) []iptables.Rule {
	var rules []iptables.Rule
	for _, l := range letters {
		rules = append(rules, simpleRule(iptables.Port(l), iptables.Return()).Rule)
	}
	return rules
}

func TestTablesOfBothFamiliesAreAsShortAsTheirOrderAllows(t *testing.T) {
	r := random(t)
	for range 10 * *rounds {
		letters := func() string {
			b := make([]byte, r.IntN(7))
			for i := range b {
				b[i] = "abcd"[r.IntN(4)]
			}
			return string(b)
		}
		x, y := letters(), letters()
		v4, v6 := ofPorts(x), ofPorts(y)
		woven := weave(v4, v6)
		if want := len(v4) + len(v6) - longest(v4, v6); len(woven) != want {
			t.Fatalf("%q and %q became %d rules, want %d", x, y, len(woven), want)
		}
		for f, want := range map[iptables.Family]string{iptables.V4: x, iptables.V6: y} {
			got := ""
			for _, rule := range woven {
				if rule.Only == 0 || rule.Only == f {
					ports := iptables.PortsOf(rule.Match[1])
					got += string(rune(ports[0].First))
				}
			}
			if got != want {
				t.Fatalf("%q and %q: %s meets %q", x, y, f, got)
			}
		}
	}
}

func TestTablesListTheRulesOfIPv4FirstWhereTheFamiliesDiffer(t *testing.T) {
	for _, c := range []struct {
		v4, v6 string
		want   []iptables.Family
	}{
		{"ab", "cd", []iptables.Family{4, 4, 6, 6}},
		{"axb", "cxd", []iptables.Family{4, 6, 0, 4, 6}},
		{"ab", "ba", []iptables.Family{4, 0, 6}},
		{"", "a", []iptables.Family{6}},
	} {
		var got []iptables.Family
		for _, rule := range weave(ofPorts(c.v4), ofPorts(c.v6)) {
			got = append(got, map[iptables.Family]iptables.Family{0: 0, iptables.V4: 4, iptables.V6: 6}[rule.Only])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q and %q: got %v, want %v", c.v4, c.v6, got, c.want)
		}
	}
}
