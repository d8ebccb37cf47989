package nftables

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// rule is a rule for both families.
func rule(target iptables.Target, matches ...iptables.Match) Rule {
	return Rule{Rule: iptables.Rule{Match: matches, Target: target}}
}

func goTo(chain string) iptables.Target { return iptables.JumpTo{Chain: chain, Goto: true} }

// The rules of nat-A as they stand, with nat-A.2 behind them, and what IPv4 reads.
func TestTablesAreReadBackWholeOnlyWhereTheyWereDivided(t *testing.T) {
	tcp, uid, gid := iptables.TCP(), iptables.ByUID(iptables.OneID(1)), iptables.ByGID(iptables.OneID(2))
	socket := iptables.TransparentSocket{NoWildcard: true}
	rest, ret, drop := goTo("nat-A.2"), iptables.Return(), iptables.Drop()
	of6 := func(r Rule) Rule { r.Only = iptables.V6; return r }
	for _, c := range []struct {
		name  string
		rules []Rule
		want  string
	}{
		{"one owner", []Rule{rule(rest, uid), rule(ret), rule(rest)}, "-m owner ! --uid-owner 1 -j RETURN; -j LAST"},
		{"two owners", []Rule{rule(rest, tcp, uid), rule(rest, tcp, gid), rule(ret, tcp), rule(rest)}, "-p tcp -m owner ! --uid-owner 1 -m owner ! --gid-owner 2 -j RETURN; -j LAST"},
		{"rules before", []Rule{rule(drop, tcp), rule(rest, uid), rule(ret), rule(rest)}, "-p tcp -j DROP; -m owner ! --uid-owner 1 -j RETURN; -j LAST"},
		{"a condition behind", []Rule{rule(rest, uid, socket), rule(ret, socket), rule(rest)}, "-m owner ! --uid-owner 1 -m socket --transparent --nowildcard -j RETURN; -j LAST"},
		{"no owner", []Rule{rule(drop, tcp), rule(ret), rule(rest)}, "-p tcp -j DROP; -j RETURN; -g A.2"},
		{"no owner and no more", []Rule{rule(ret), rule(rest)}, "-j RETURN; -g A.2"},
		{"only the goto", []Rule{rule(rest)}, "-g A.2"},
		{"other conditions", []Rule{rule(rest, tcp, uid), rule(ret), rule(rest)}, "-p tcp -m owner --uid-owner 1 -g A.2; -j RETURN; -g A.2"},
		{"another family", []Rule{of6(rule(rest, uid)), rule(ret), rule(rest)}, "-j RETURN; -g A.2"},
		{"no owner, but a condition more", []Rule{rule(rest, tcp), rule(ret), rule(rest)}, "-p tcp -g A.2; -j RETURN; -g A.2"},
		{"a condition at the end", []Rule{rule(rest, uid), rule(ret), rule(rest, tcp)}, "-m owner --uid-owner 1 -g A.2; -j RETURN; -p tcp -g A.2"},
		{"a jump", []Rule{rule(iptables.Jump("nat-A.2"), uid), rule(ret), rule(iptables.Jump("nat-A.2"))}, "-m owner --uid-owner 1 -j A.2; -j RETURN; -j A.2"},
		{"a chain of its own", []Rule{rule(goTo("nat-LAST"), uid), rule(ret), rule(goTo("nat-LAST"))}, "-m owner --uid-owner 1 -g LAST; -j RETURN; -g LAST"},
		{"no such chain", []Rule{rule(drop, uid), rule(ret), rule(goTo("nat-A.9"))}, "-m owner --uid-owner 1 -j DROP; -j RETURN; -g A.9"},
	} {
		ts := Tables{{Chains: []Chain{
			{Name: "nat-A", Rules: c.rules}, {Name: "nat-A.2", Rules: []Rule{rule(iptables.Jump("nat-LAST"))}},
			{Name: "nat-LAST", Rules: []Rule{rule(ret)}},
		}}}
		v4, _ := ts.Rulesets()
		if got := spelled(v4, "A"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func spelled(rs iptables.Ruleset, chain string) string {
	c, ok := rs.Chain(iptables.Nat, chain)
	if !ok {
		return "no chain"
	}
	var words []string
	for _, r := range c.Rules {
		words = append(words, r.String())
	}
	return strings.Join(words, "; ")
}

func TestTablesAreDividedForEachInvertedOwner(t *testing.T) {
	v4 := parsed(t, iptables.V4, `*nat
-A OUTPUT -p tcp -m owner ! --uid-owner 1 -m socket --transparent --nowildcard -j RETURN
-A OUTPUT -m owner ! --uid-owner 2 -m owner ! --gid-owner 3 -j RETURN
-A OUTPUT -j DROP
COMMIT
`)
	ts, err := Translate(Split, v4, iptables.Ruleset{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `table ip sluice {
	chain nat-OUTPUT {
		type nat hook output priority -100; policy accept;
		meta l4proto tcp meta skuid 1 socket transparent 1 goto nat-OUTPUT.2
		meta l4proto tcp socket transparent 1 return
		goto nat-OUTPUT.2
	}

	chain nat-OUTPUT.2 {
		meta skuid 2 goto nat-OUTPUT.3
		meta skgid 3 goto nat-OUTPUT.3
		return
		goto nat-OUTPUT.3
	}

	chain nat-OUTPUT.3 {
		drop
	}
}
`
	if got := ts.String(); got != want {
		t.Error(firstDifference(got, want))
	}
	back, _ := ts.Rulesets()
	if got, want := spelled(back, iptables.Output), spelled(v4, iptables.Output); got != want {
		t.Errorf("read back\n%s\nwant\n%s", got, want)
	}
}

func TestTablesAreReadBackWithTheChainsThatAFamilyCanReach(t *testing.T) {
	jump6 := rule(iptables.Jump("nat-SIX"))
	jump6.Only = iptables.V6
	jump4 := rule(iptables.Jump("nat-FOUR"))
	jump4.Only = iptables.V4
	ts := Tables{{Chains: []Chain{
		{Name: "nat-OUTPUT", Rules: []Rule{jump6, jump4, rule(iptables.Jump("nat-BOTH"))}},
		{Name: "nat-SIX"}, {Name: "nat-FOUR"}, {Name: "nat-BOTH"}, {Name: "nat-NONE"},
		{Name: "nat-FULL", Rules: []Rule{rule(iptables.Drop())}},
	}}}
	v4, v6 := ts.Rulesets()
	for rs, want := range map[*iptables.Ruleset]string{&v4: "OUTPUT FOUR BOTH FULL", &v6: "OUTPUT SIX BOTH FULL"} {
		var names []string
		for _, c := range rs.Chains {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has %s, want %s", rs.Family, got, want)
		}
	}
}

func TestTablesTransparentProxyIsReadBackAsItWas(t *testing.T) {
	own := iptables.TProxy{Port: 1, Mark: 1, Mask: iptables.FullMask, On: netip.MustParseAddr("127.0.0.1")}
	anywhere := own
	anywhere.On = netip.Addr{}
	ts := Tables{{Chains: []Chain{{Name: "nat-A", Rules: []Rule{
		rule(own, iptables.TCP()), rule(iptables.Drop(), iptables.TCP()),
		rule(anywhere, iptables.TCP()), rule(iptables.Return(), iptables.TCP()), // somebody took the drop away
		rule(anywhere, iptables.TCP()), rule(iptables.Drop(), iptables.UDP()),
	}}}}}
	_, v6 := ts.Rulesets()
	const (
		proxy = "-p tcp -j TPROXY --on-port 1 --on-ip "
		mark  = " --tproxy-mark 0x1/0xffffffff; "
		want  = proxy + "127.0.0.1" + mark + proxy + "::" + mark + "-p tcp -j RETURN; " + proxy + "::" + mark + "-p udp -j DROP"
	)
	if got := spelled(v6, "A"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
