package interception

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

const (
	addRoute = "plumbing: ip -4 route add local 0.0.0.0/0 dev lo table 133 protocol 201"
	delRoute = "plumbing: ip -4 route del local 0.0.0.0/0 dev lo table 7 protocol 201"
)

// moving is a run that comes from an older backend and an older routing table.
func moving(j *journal) (s *session, chosen, other *fake) {
	chosen = &fake{journal: j, label: "new"}
	other = &fake{journal: j, label: "old", holds: []iptables.Ruleset{foreign(rules(iptables.V4, 1)), rules(iptables.V6, 2)}}
	return &session{
		conn: pipes{j}, chosen: choice{backend: chosen, others: []backend{other}},
		have: netns.Plumbing{Routes: []netns.Route{netns.LocalDefault(iptables.V4, 7)}},
		want: Want{
			Rules:    []iptables.Ruleset{rules(iptables.V4, 3), rules(iptables.V6, 4)},
			Plumbing: netns.Plumbing{Routes: []netns.Route{netns.LocalDefault(iptables.V4, 133)}},
		},
	}, chosen, other
}

// reads are the look at what stood before, the chosen backend last.
var reads = []string{"old read IPv4", "old read IPv6", "new read IPv4", "new read IPv6"}

func TestNothingOldGoesBeforeTheNewStands(t *testing.T) {
	j := &journal{}
	s, _, _ := moving(j)
	changed, err := s.apply(t.Context())
	must(t, err)
	same(t, "steps", j.entries, append(reads, addRoute, "new apply IPv4:3 IPv6:4", "old apply IPv4: IPv6:", delRoute))
	same(t, "reported", changed, []string{
		strings.TrimPrefix(addRoute, "plumbing: "), "new changed", "old changed", strings.TrimPrefix(delRoute, "plumbing: ")})
}

func TestWhatStoodBeforeIsReadOnlyIfItMayHaveToComeBack(t *testing.T) {
	j := &journal{}
	s, _, _ := moving(j)
	s.chosen.others, s.have = nil, netns.Plumbing{}
	_, err := s.apply(t.Context())
	must(t, err)
	same(t, "steps of a fresh apply", j.entries, []string{addRoute, "new apply IPv4:3 IPv6:4"})
	j = &journal{}
	s, _, _ = moving(j)
	s.chosen.others = nil
	_, err = s.apply(t.Context())
	must(t, err)
	same(t, "steps of another table", j.entries, []string{"new read IPv4", "new read IPv6", addRoute, "new apply IPv4:3 IPv6:4", delRoute})
}

func TestAFailedStepUndoesThoseBeforeIt(t *testing.T) {
	old, back := "old apply IPv4:1 IPv6:2", "plumbing back to 1 routes"
	for _, c := range []struct {
		fails string
		steps []string // after the reads, without the one that fails
	}{
		{addRoute, nil},
		{"new apply IPv4:3 IPv6:4", []string{back}},
		{"old apply IPv4: IPv6:", []string{old, "new apply IPv4: IPv6:", back}},
		{delRoute, []string{old, "new apply IPv4: IPv6:", back}},
	} {
		j := &journal{fails: c.fails}
		s, _, _ := moving(j)
		changed, err := s.apply(t.Context())
		if !errors.Is(err, errInjected) || len(changed) > 0 || strings.Contains(err.Error(), "could not be put back") {
			t.Errorf("%s fails: got %q and %v, want no change and the error alone", c.fails, changed, err)
		}
		_, after, _ := strings.Cut(strings.Join(j.entries, "\n"), c.fails)
		same(t, c.fails+" fails, steps behind it", strings.FieldsFunc(after, func(r rune) bool { return r == '\n' }), c.steps)
	}
}

func TestAReadThatFailsChangesNothing(t *testing.T) {
	for i, fails := range reads {
		j := &journal{fails: fails}
		s, _, _ := moving(j)
		_, err := s.apply(t.Context())
		if !errors.Is(err, errInjected) {
			t.Errorf("%s fails: got %v", fails, err)
		}
		same(t, fails+" fails, steps", j.entries, reads[:i+1])
	}
}

// Without the old rules and without the new ones everything would pass.
func TestNewRulesStayWhereTheOldOnesCannotComeBack(t *testing.T) {
	j := &journal{fails: delRoute}
	s, chosen, _ := moving(j)
	_, err := s.apply(t.Context())
	if !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	if got := ports(chosen.holds); got != "IPv4: IPv6:" {
		t.Fatalf("after an undoing that worked the new backend holds %s, want nothing", got)
	}
	stubborn := &journal{fails: "old apply IPv4:1 IPv6:2"}
	s, chosen, _ = moving(stubborn)
	before, err := s.before(t.Context(), nil)
	must(t, err)
	_, err = s.chosen.apply(t.Context(), s.want.Rules)
	must(t, err)
	if err = s.undo(t.Context(), before); !errors.Is(err, errInjected) || !strings.Contains(err.Error(), "could not be put back") {
		t.Errorf("got %v, want that what was there could not be put back", err)
	}
	if got := ports(chosen.holds); got != "IPv4:3 IPv6:4" {
		t.Errorf("the new backend holds %s, want the new rules", got)
	}
	if last := stubborn.entries[len(stubborn.entries)-1]; last != "plumbing back to 1 routes" {
		t.Errorf("the last step was %q, want the plumbing put back all the same", last)
	}
}

func TestAnUndoingThatLosesThePlumbingSaysSo(t *testing.T) {
	j := &journal{fails: "plumbing back to 1 routes"}
	s, _, _ := moving(j)
	if err := s.undo(t.Context(), nil); !errors.Is(err, errInjected) || !strings.Contains(err.Error(), "could not be put back") {
		t.Errorf("got %v", err)
	}
}

// clocked notes how long the undoing may take.
type clocked struct {
	pipes
	ctx context.Context
}

func (c *clocked) Ensure(ctx context.Context, want netns.Plumbing) ([]netns.Change, error) {
	c.ctx = ctx
	return nil, ctx.Err()
}

func TestAnUndoingHasTimeOfItsOwn(t *testing.T) {
	s, _, _ := moving(&journal{})
	c := &clocked{}
	s.conn = c
	over, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, s.undo(over, nil))
	if _, bounded := c.ctx.Deadline(); !bounded {
		t.Error("got no bound for the undoing")
	}
}

func TestABackendIsAskedOnlyForFamiliesThatItHas(t *testing.T) {
	j := &journal{}
	s, chosen, other := moving(j)
	chosen.only, other.only = []iptables.Family{iptables.V4}, []iptables.Family{iptables.V4}
	s.want.Rules = []iptables.Ruleset{rules(iptables.V4, 3), rules(iptables.V6, 0)}
	_, err := s.apply(t.Context())
	must(t, err)
	same(t, "steps", j.entries, []string{"old read IPv4", "new read IPv4", addRoute, "new apply IPv4:3", "old apply IPv4: IPv6:", delRoute})
}

func TestAFamilyIsPassedOverOnlyIfNothingIsWantedOfItAndNothingCanBe(t *testing.T) {
	v4 := []iptables.Family{iptables.V4}
	for _, c := range []struct {
		only []iptables.Family
		v6   iptables.Port
		want string
	}{{nil, 4, "IPv4:3 IPv6:4"}, {nil, 0, "IPv4:3 IPv6:"}, {v4, 0, "IPv4:3"}, {v4, 4, "IPv4:3 IPv6:4"}} {
		s, chosen, _ := moving(&journal{})
		chosen.only, s.want.Rules = c.only, []iptables.Ruleset{rules(iptables.V4, 3), rules(iptables.V6, c.v6)}
		if got := ports(s.programmedWants()); got != c.want {
			t.Errorf("programs %v, wants IPv6:%d: got %q, want %q", c.only, c.v6, got, c.want)
		}
	}
}

// IPv6 alone is left out where nothing is lost; a backend without IPv4 fails.
func TestIPv4IsNeverLeftOut(t *testing.T) {
	s, chosen, _ := moving(&journal{})
	chosen.only = []iptables.Family{iptables.V6}
	families, remarks, err := s.programmable(config(t), iptables.Families())
	if len(families) != 2 || len(remarks) > 0 || err != nil {
		t.Errorf("got %v, %q and %v, want both families", families, remarks, err)
	}
}

func TestCheckTellsOfRulesPlumbingAndOtherBackends(t *testing.T) {
	j := &journal{}
	s, chosen, other := moving(j)
	diffs, err := s.check(t.Context())
	must(t, err)
	same(t, "differences", diffs, []string{
		"new differs",
		"missing: ip -4 route local 0.0.0.0/0 dev lo table 133 protocol 201",
		"unexpected: ip -4 route local 0.0.0.0/0 dev lo table 7 protocol 201",
		"unwanted: rules of ours in old beside new",
	})
	chosen.holds, other.holds, s.have = s.want.Rules, nothing(), s.want.Plumbing
	diffs, err = s.check(t.Context())
	must(t, err)
	same(t, "differences of what is as wanted", diffs, nil)
	for _, fails := range []string{"new check IPv4:3 IPv6:4", "old check IPv4: IPv6:"} {
		j.fails = fails
		if _, err := s.check(t.Context()); !errors.Is(err, errInjected) {
			t.Errorf("%s fails: got %v", fails, err)
		}
	}
}

func TestWhatIsWantedIsToldInDetailToWhoAsks(t *testing.T) {
	s, _, _ := moving(&journal{})
	var told []string
	s.opts.Debug = func(_ string, args ...any) {
		for _, a := range args {
			if r, ok := a.(rendered); ok {
				told = append(told, r.String())
			}
		}
	}
	_, err := s.apply(t.Context())
	must(t, err)
	same(t, "told", told, []string{iptables.Render(rules(iptables.V4, 3)), iptables.Render(rules(iptables.V6, 4))})
}

func TestARunDecidesFamiliesBackendAndWishTogether(t *testing.T) {
	c := config(t, "istio-inbound-interception-mode=TPROXY")
	s := &session{facts: facts(netns.IPv6Enabled, "2001:db8::1/64")}
	must(t, s.decide(c, chooser{env: env(nftTools())}))
	if s.report.Backend != "iptables-nft" || len(s.report.Why) == 0 || len(s.report.Families) != 2 || len(s.report.Remarks) > 0 {
		t.Errorf("got %+v", s.report)
	}
	if w := s.want; len(w.Plumbing.Rules) != 2 || len(w.Plumbing.Addrs) != 1 || w.Rules[1].Empty() {
		t.Errorf("got plumbing %+v for both families", w.Plumbing)
	}
	s.facts.IPv6Off = []string{"lo"}
	must(t, s.decide(c, chooser{env: env(nftTools())}))
	if len(s.want.Plumbing.Addrs) > 0 {
		t.Error("an IPv6 address for a lo that takes none")
	}
	s.facts = facts(netns.IPv6Disabled)
	must(t, s.decide(c, chooser{env: env(nftTools())}))
	if len(s.report.Families) != 1 || len(s.report.Remarks) != 1 || !s.want.Rules[1].Empty() {
		t.Errorf("IPv6 is off: got %+v", s.report)
	}
}

func TestARunThatCannotDecideSaysWhy(t *testing.T) {
	v4 := env(without(nftTools(), "ip6tables-nft-save"))
	reach := facts(netns.IPv6Enabled, "2001:db8::1/64")
	for name, c := range map[string]struct {
		settings string
		ch       chooser
		facts    netns.Facts
		says     string
	}{
		"families":  {"ip-families=dual", chooser{env: env(nftTools())}, facts(netns.IPv6Absent), "which ip-families asks for"},
		"backend":   {"backend=iptables-legacy", chooser{env: env(nftTools())}, reach, "iptables-legacy-save"},
		"ip6tables": {"backend=iptables-nft", chooser{env: v4}, reach, "no ip6tables for iptables-nft here"},
	} {
		s := &session{facts: c.facts}
		err := s.decide(config(t, c.settings), c.ch)
		if err == nil || !strings.Contains(err.Error(), c.says) || KindOf(err) != Unavailable {
			t.Errorf("%s: got %v of kind %d, want %q", name, err, KindOf(err), c.says)
		}
	}
	for settings, want := range map[string]string{"": "nftables", "ip-families=v4": "iptables-nft"} {
		s := &session{facts: reach}
		must(t, s.decide(config(t, strings.Fields(settings)...), chooser{env: v4}))
		if s.report.Backend != want {
			t.Errorf("auto without ip6tables, %q: got %s, want %s", settings, s.report.Backend, want)
		}
	}
	s := &session{facts: facts(netns.IPv6Enabled, "fe80::1/64")}
	must(t, s.decide(config(t, "backend=iptables-nft"), chooser{env: v4}))
	if len(s.report.Families) != 1 || s.report.Families[0] != iptables.V4 || len(s.report.Remarks) != 1 {
		t.Errorf("nothing is lost without IPv6: got %+v", s.report)
	}
}
