package nftables

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

func mustApply(t *testing.T, c *Conn, v4, v6 iptables.Ruleset, o Options) Report {
	t.Helper()
	r, err := c.Apply(t.Context(), v4, v6, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEverySingleEditIsDriftAndIsRepairedWithoutTouchingTheRest(t *testing.T) {
	v4, v6 := samples(t)
	for _, edit := range []struct{ command, want string }{
		{"delete chain inet sluice mangle-ISTIO_DROP", "mangle-ISTIO_DROP: missing chain"},
		{"flush chain inet sluice nat-ISTIO_REDIRECT", "nat-ISTIO_REDIRECT rule 1: missing meta l4proto tcp redirect to :15001"},
		{"add chain inet sluice other", "other: unwanted chain"},
		{"add rule inet sluice nat-ISTIO_OUTPUT accept", "nat-ISTIO_OUTPUT rule 15: unwanted accept"},
		{"insert rule inet sluice nat-ISTIO_INBOUND tcp dport 15008 return", "nat-ISTIO_INBOUND rule 1: unwanted tcp dport 15008 return"},
		{"insert rule inet sluice nat-ISTIO_INBOUND ip ttl 3 drop", "unwanted (not of our making: meta cmp payload cmp immediate)"},
		{"insert rule inet sluice mangle-ISTIO_TPROXY tcp flags != syn / fin,syn,rst,ack return", "unwanted tcp flags != syn / fin,syn,rst,ack return"},
		{"insert rule inet sluice mangle-ISTIO_TPROXY tcp flags syn / syn,ack return", "unwanted (not of our making: meta cmp payload bitwise cmp immediate)"},
		{"insert rule inet sluice mangle-ISTIO_TPROXY tcp flags ack / fin,syn,rst,ack return", "unwanted (not of our making: meta cmp payload bitwise cmp immediate)"},
		{"insert rule inet sluice mangle-ISTIO_TPROXY tcp flags syn return", "unwanted (not of our making:"},
		{"insert rule inet sluice nat-ISTIO_INBOUND meta skuid != 7 return", "(not of our making: meta cmp immediate)"},
		{"add table inet sluice { flags dormant; }", "is switched off (flags dormant), should be in force"},
		{"add chain inet sluice nat-OUTPUT { policy drop; }", "policy drop;"},
		{"delete table inet sluice", "missing table"},
		{"add table ip sluice", "ip sluice: unwanted table"},
	} {
		t.Run(strings.ReplaceAll(edit.command, " ", "_"), func(t *testing.T) {
			n, c := open(t)
			mustApply(t, c, v4, v6, Options{})
			before := n.MustRun("nft", "list", "ruleset")
			n.MustRun("nft", edit.command)
			diffs, err := c.Check(t.Context(), v4, v6)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(diffs); len(diffs) == 0 || !strings.Contains(got, edit.want) {
				t.Errorf("drift is %s, want something with %q", got, edit.want)
			}
			report := mustApply(t, c, v4, v6, Options{})
			if report.Plan.Empty() {
				t.Error("apply changed nothing")
			}
			if got := n.MustRun("nft", "list", "ruleset"); sorted(got) != sorted(before) {
				t.Errorf("after repair: %s", firstDifference(got, before))
			}
		})
	}
}

// sorted makes the order of chains not matter: a chain made anew is listed last.
func sorted(text string) string {
	blocks := strings.Split(text, "\n\n")
	lines := map[string]bool{}
	for _, b := range blocks {
		lines[strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b), "table inet sluice {\n\t"), "\n}")] = true
	}
	return fmt.Sprint(lines)
}

func TestSwappedRulesAreDrift(t *testing.T) {
	v4, v6 := samples(t)
	_, c := open(t)
	mustApply(t, c, v4, v6, Options{})
	for i := range v4.Chains {
		if ch := &v4.Chains[i]; ch.Table == iptables.Nat && ch.Name == iptables.ChainOutput {
			ch.Rules[1], ch.Rules[3] = ch.Rules[3], ch.Rules[1]
		}
	}
	diffs, err := c.Check(t.Context(), v4, v6)
	if err != nil || len(diffs) == 0 {
		t.Errorf("check found %v and %v, want drift", diffs, err)
	}
	plan := mustApply(t, c, v4, v6, Options{}).Plan.String()
	if strings.Contains(plan, "table") || strings.Count(plan, "flush chain") != 1 {
		t.Errorf("the plan is\n%swant one chain flushed and filled", plan)
	}
}

func TestRemoveLeavesOthersRulesAndNothingOfOurs(t *testing.T) {
	v4, v6 := samples(t)
	none := iptables.Ruleset{}
	for _, l := range []Layout{Inet, Split} {
		n, c := open(t)
		n.MustRun("nft", "add table inet other; add chain inet other c { type nat hook output priority -100; }; add rule inet other c accept")
		before := n.MustRun("nft", "list", "ruleset")
		mustApply(t, c, v4, v6, Options{Layout: l})
		mustApply(t, c, none, none, Options{Layout: l})
		if got := n.MustRun("nft", "list", "ruleset"); got != before {
			t.Errorf("after removal:\n%swant:\n%s", got, before)
		}
		if r := mustApply(t, c, none, none, Options{Layout: l}); !r.Plan.Empty() {
			t.Errorf("a second removal did %q, want nothing", r.Plan)
		}
	}
}

func TestLayoutsMigrateIntoEachOtherInOneTransaction(t *testing.T) {
	v4, v6 := samples(t)
	n, c := open(t)
	for _, l := range []Layout{Inet, Split, Inet} {
		r := mustApply(t, c, v4, v6, Options{Layout: l})
		if r.Plan.Empty() {
			t.Errorf("layout %v: nothing changed", l)
		}
		families := n.MustRun("nft", "list", "tables")
		if want := map[Layout]string{Inet: "table inet sluice\n", Split: "table ip sluice\ntable ip6 sluice\n"}[l]; families != want {
			t.Errorf("layout %v: tables are %q, want %q", l, families, want)
		}
	}
}

func TestCountersCountOnlyWhenAskedFor(t *testing.T) {
	v4, v6 := samples(t)
	n, c := open(t)
	mustApply(t, c, v4, v6, Options{})
	if got := n.MustRun("nft", "list", "ruleset"); strings.Contains(got, "counter") {
		t.Error("rules count without being asked to")
	}
	if mustApply(t, c, v4, v6, Options{Counters: true}).Plan.Empty() {
		t.Error("asking for counters changed nothing")
	}
	if !mustApply(t, c, v4, v6, Options{}).Plan.Empty() {
		t.Error("rules that count were replaced where nobody asked for counters: a needless change")
	}
	r := rig.User{}
	if conn, err := n.Dial(r, "tcp", "127.0.0.1:9"); err == nil {
		conn.Close()
	}
	have, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, _ := have[0].Chain("nat-OUTPUT")
	if got := out.Rules[0].Count.Packets; got != 1 {
		t.Errorf("nat-OUTPUT counted %d packets, want the 1 that was sent", got)
	}
}

func TestRandomRulesListLikeTheirTextAndReadBackEqual(t *testing.T) {
	r := random(t)
	for range 25 {
		v4, v6 := randomRules(t, r)
		l := pick(r, Inet, Split)
		sent, c := open(t)
		mustApply(t, c, v4, v6, Options{Layout: l})
		ts, err := Translate(l, v4, v6)
		if err != nil {
			t.Fatal(err)
		}
		have, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if have.String() != ts.String() {
			t.Errorf("read back: %s", firstDifference(have.String(), ts.String()))
		}
		loaded := rig.NewNamespace(t, "nft")
		if res := loaded.RunCmd(rig.Cmd{Args: []string{"nft", "-f", "-"}, Stdin: ts.String()}); res.Err != nil {
			t.Fatalf("nft -f: %v\n%s\n%s", res.Err, res.Stderr, ts)
		}
		got, want := sent.MustRun("nft", "list", "ruleset"), loaded.MustRun("nft", "list", "ruleset")
		if got != want {
			t.Errorf("sent and loaded differ: %s", firstDifference(got, want))
		}
	}
}

func TestWhatNftLoadedFromOurTextNeedsNoChange(t *testing.T) {
	v4, v6 := samples(t)
	ts, err := Translate(Inet, v4, v6)
	if err != nil {
		t.Fatal(err)
	}
	n, c := open(t)
	if res := n.RunCmd(rig.Cmd{Args: []string{"nft", "-f", "-"}, Stdin: ts.String()}); res.Err != nil {
		t.Fatalf("nft -f: %v\n%s", res.Err, res.Stderr)
	}
	if r := mustApply(t, c, v4, v6, Options{}); !r.Plan.Empty() {
		t.Errorf("apply changed\n%swant nothing", r.Plan)
	}
}

func TestManyAppliesAtOnceInOneNamespaceEndWithOneSetOfRules(t *testing.T) {
	v4, v6 := samples(t)
	n, first := open(t)
	conns := []*Conn{first}
	for range 7 {
		n.Do(func() {
			c, err := Open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			conns = append(conns, c)
		})
	}
	var group sync.WaitGroup
	errs := make([]error, len(conns))
	for i, c := range conns {
		group.Go(func() { _, errs[i] = c.Apply(context.Background(), v4, v6, Options{}) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("apply %d: %v", i, err)
		}
	}
	if diffs, err := first.Check(t.Context(), v4, v6); err != nil || len(diffs) > 0 {
		t.Errorf("afterwards %v, %v, want no drift", diffs, err)
	}
}

func TestARuleThatAsksForAnEmptySetIsDriftAndIsRepaired(t *testing.T) {
	v4, v6 := samples(t)
	for _, kind := range []struct{ keys, rule string }{
		{"inet_service", "tcp dport @empty drop"},
		{"inet_service; flags interval", "tcp dport != @empty drop"},
		{"ipv4_addr", "ip daddr @empty drop"},
	} {
		n, c := open(t)
		mustApply(t, c, v4, v6, Options{})
		n.MustRun("nft", "add set inet sluice empty { type "+kind.keys+"; }; add rule inet sluice nat-OUTPUT "+kind.rule)
		if diffs, err := c.Check(t.Context(), v4, v6); err != nil || len(diffs) != 1 {
			t.Errorf("%s: check found %v and %v, want one difference", kind.rule, diffs, err)
		}
		mustApply(t, c, v4, v6, Options{})
		if diffs, err := c.Check(t.Context(), v4, v6); err != nil || len(diffs) != 0 {
			t.Errorf("%s: after a second apply check found %v and %v", kind.rule, diffs, err)
		}
	}
}
