package validation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/validation"
)

// mutant is a rule set with one mistake.
type mutant struct {
	name  string
	rules iptables.Ruleset
}

// mutants makes every rule set that has one rule deleted, swapped with the next,
// or sent to or asked for the port beside.
func mutants(rs iptables.Ruleset) []mutant {
	var list []mutant
	for i, c := range rs.Chains {
		add := func(what string, n int, rules []iptables.Rule) {
			m := rs
			m.Chains = slices.Clone(rs.Chains)
			m.Chains[i].Rules = rules
			list = append(list, mutant{fmt.Sprintf("%s %s %s: %s", what, c.Table, c.Name, c.Rules[n]), m})
		}
		for n, r := range c.Rules {
			add("delete", n, slices.Delete(slices.Clone(c.Rules), n, n+1))
			if n+1 < len(c.Rules) {
				swapped := slices.Clone(c.Rules)
				swapped[n], swapped[n+1] = swapped[n+1], swapped[n]
				add("swap", n, swapped)
			}
			for _, wrong := range misported(r) {
				other := slices.Clone(c.Rules)
				other[n] = wrong
				add("misport", n, other)
			}
		}
	}
	return list
}

func misported(r iptables.Rule) []iptables.Rule {
	var list []iptables.Rule
	switch t := r.Target.(type) {
	case iptables.Redirect:
		o := r
		o.Target = iptables.Redirect{Port: t.Port + 1}
		list = append(list, o)
	case iptables.TProxy:
		o := r
		t.Port++
		o.Target = t
		list = append(list, o)
	}
	for i, m := range r.Match {
		if p, ok := m.(iptables.DestinationPort); ok {
			p.Range.First++
			p.Range.Last++
			o := r
			o.Match = slices.Clone(r.Match)
			o.Match[i] = p
			list = append(list, o)
		}
	}
	return list
}

// sample is packets of every kind that the settings of the scenes tell apart,
// also of those that validation cannot send.
func sample(f iptables.Family, probes []validation.Probe) []iptables.Packet {
	var packets []iptables.Packet
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.6"),
		netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("198.51.100.200"), netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.1.2.3"),
		netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("203.0.113.99"), netip.MustParseAddr("10.96.0.10")}
	if f == iptables.V6 {
		addrs = []netip.Addr{netip.MustParseAddr("2001:db8:1::2"), netip.MustParseAddr("::1"), netip.MustParseAddr("::6"),
			netip.MustParseAddr("2001:db8:2::7"), netip.MustParseAddr("2001:db8:53::10")}
	}
	ports := []iptables.Port{80, 81, 8080, 8090, 8091, 15002, 15006, 15008, 15009, 15020, 15021, 15022, 15090, 15091, 53, 54, 3306, 3307, 7000, 7010, 7011, 8500, 8501, 9000, 9001, 9100, 9110, 9111, 15053}
	ids := []uint32{1000, 1337, 2000, 2001, 2002, 2102, 4000, 505, 0}
	states := []iptables.State{iptables.StateNew, iptables.StateNew, iptables.StateEstablished, iptables.StateInvalid}
	rnd := rand.New(rand.NewPCG(1, uint64(f)))
	pick := func(n int) int { return rnd.IntN(n) }
	for range 20_000 {
		p := iptables.Packet{
			Protocol: []uint8{iptables.ProtoTCP, iptables.ProtoTCP, iptables.ProtoUDP}[pick(3)],
			Src:      addrs[pick(len(addrs))], Dst: addrs[pick(len(addrs))],
			SrcPort: ports[pick(len(ports))], DstPort: ports[pick(len(ports))], State: states[pick(len(states))],
			Mark: []uint32{0, 0, 1337, 1338}[pick(4)], ConnMark: []uint32{0, 1337}[pick(2)],
		}
		iface := []string{"lo", "eth0"}[pick(2)]
		if pick(2) == 0 {
			p.In, p.Reply = iface, pick(4) == 0
		} else {
			p.Out = iface
			if pick(8) > 0 {
				p.Owner = &iptables.Owner{UID: ids[pick(len(ids))], GID: ids[pick(len(ids))]}
			}
		}
		packets = append(packets, p)
		if later := p; p.Protocol == iptables.ProtoTCP && p.In != "" { // the same connection further on
			later.Midstream, later.Transparent, later.ConnMark = true, p.Reply, []uint32{0, iptables.SelfCallMark}[len(packets)%2]
			packets = append(packets, later)
		}
	}
	for _, p := range probes {
		packets = append(packets, p.Packet)
	}
	return packets
}

// different says whether two rule sets treat any packet of a sample differently.
func different(a, b iptables.Ruleset, packets []iptables.Packet) bool {
	return slices.ContainsFunc(packets, func(p iptables.Packet) bool {
		path := iptables.Arriving
		if p.Out != "" {
			path = iptables.Leaving
		}
		x, y := a.Trace(p, path, nil), b.Trace(p, path, nil)
		return x.Fate != y.Fate || x.Port != y.Port || x.Mark != y.Mark && y.Mark|x.Mark != iptables.SelfCallMark || x.ConnMark != y.ConnMark || x.Zone != y.Zone
	})
}

// replace loads a rule set in place of all tables that it has, and forgets the
// last one's connections: their entries would answer for this one's.
func replace(t *testing.T, r *rig.Rig, flavour rig.Flavour, rs iptables.Ruleset) {
	t.Helper()
	family := rig.Family(rs.Family)
	result := r.Pod.RunCmd(rig.Cmd{Args: []string{flavour.Program(family, "restore")}, Stdin: iptables.Render(rs), Env: append(os.Environ(), rig.LockEnv)})
	if result.Err != nil {
		t.Fatalf("load a mutant: %v: %s", result.Err, result.Stderr)
	}
	r.Pod.MustRun("conntrack", "-F")
}

// only leaves one family in the facts.
func only(f iptables.Family) func(*validation.Facts) {
	return func(x *validation.Facts) {
		x.Families = slices.DeleteFunc(x.Families, func(ff validation.FamilyFacts) bool { return ff.Family != f })
	}
}

// caughtBy is the first check that failed.
func caughtBy(r validation.Report) string {
	for _, x := range r.Results {
		if x.Status == validation.Failed {
			return x.Check.String()
		}
	}
	return ""
}

// unreachable says why a mutant may pass; "" if it may not.
func unreachable(m string, f iptables.Family, mode builder.Mode) string {
	for _, u := range survivors() {
		if (u.family == 0 || u.family == f) && (u.mode == "" || u.mode == mode) && strings.Contains(m, u.part) {
			return u.reason
		}
	}
	return ""
}

func TestEveryMutantThatProbesCanReachFailsValidation(t *testing.T) {
	for name, words := range scenes() {
		for _, mode := range []string{"REDIRECT", "TPROXY"} {
			for _, f := range iptables.Families() {
				if f == iptables.V6 && name != "classic" && name != "dns" {
					continue // the other scenes' rules differ in what no IPv6 packet can ask about
				}
				t.Run(fmt.Sprintf("%s %s %s", name, mode, f), func(t *testing.T) {
					t.Parallel()
					testMutants(t, parse(t, words(mode)...), f)
				})
			}
		}
	}
}

func testMutants(t *testing.T, c builder.Config, f iptables.Family) {
	r := pod(t, c)
	right := builder.Build(c, f)
	packets := sample(f, planned(t, r, c, f))
	left := watch(t, r)
	same, caught := 0, map[string]int{}
	for _, m := range mutants(right) {
		if !different(right, m.rules, packets) {
			same++
			continue
		}
		replace(t, r, rig.Legacy, m.rules)
		got := caughtBy(validate(t, r, c, only(f), validation.Options{}))
		switch reason := unreachable(m.name, f, c.Mode); {
		case got != "":
			caught[got]++
			t.Logf("%s\n\tcaught by %s", m.name, got)
		case reason != "":
			t.Logf("%s\n\tNOT caught: %s", m.name, reason)
		default:
			t.Errorf("%s\n\twant some check to fail, got none", m.name)
		}
	}
	t.Logf("%d mutants decide alike; caught by %v", same, caught)
	if got := left(); len(got) > 0 {
		t.Errorf("want no packet to leave the pod, got %d: %q", len(got), got[:min(len(got), 4)])
	}
}

func planned(t *testing.T, r *rig.Rig, c builder.Config, f iptables.Family) (probes []validation.Probe) {
	t.Helper()
	r.Pod.Do(func() {
		facts, err := validation.Gather(context.Background(), []iptables.Family{f}, 15002, false)
		if err != nil {
			t.Errorf("gather: %v", err)
		}
		for _, check := range validation.Plan(c, facts) {
			probes = append(probes, check.Probes...)
		}
	})
	return probes
}

type survivor struct {
	part   string          // of the mutant's name
	family iptables.Family // 0: both
	mode   builder.Mode    // "": both
	reason string
}

// survivors are the mutants that no probe notices, and why. docs/validation.md
// shows the same list.
func survivors() []survivor {
	const (
		elsewhere   = "no packet to the loopback address leaves by another interface than lo"
		established = "established connections reach the same listener; the rules only shorten their way, or keep a mark that local addresses do not need"
		later       = "tells connections from before the rules, or under SYN cookies, which validation does not make"
		reply       = "a reply that arrives from outside would need a partner outside"
		resolver    = "the answer of a resolver would need a resolver outside"
		answer      = "an IPv6 answer would leave the pod if it were not brought back"
		stray       = "the proxy's IPv6 lookup over TCP would leave the pod if a rule marked it"
		own         = "tells apart only answers that the application sends from 127.0.0.6 or ::6, or by excluded ports"
	)
	return []survivor{
		{"nat ISTIO_OUTPUT: -d 127.0.0.1/32 -j RETURN", iptables.V4, "", elsewhere},
		{"nat ISTIO_OUTPUT: -d ::1/128 -j RETURN", iptables.V6, "", elsewhere},
		{"mangle ISTIO_TPROXY: -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m socket", 0, "", established},
		{"mangle ISTIO_TPROXY: -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m connmark", 0, "", later},
		{"mangle ISTIO_TPROXY: -p tcp -j MARK", 0, "", later},
		{"mangle ISTIO_TPROXY: -p tcp -j CONNMARK", 0, "", later},
		{"mangle ISTIO_DIVERT: ", 0, "", established},
		{"delete mangle ISTIO_INBOUND: -m conntrack --ctdir REPLY -j RETURN", 0, "", reply},
		{"raw PREROUTING: -p udp -m udp --sport 53 -j ISTIO_INBOUND", 0, "", resolver},
		{"raw PREROUTING: -p tcp -m tcp --sport 53 -j ISTIO_INBOUND", 0, "", resolver},
		{"raw ISTIO_INBOUND: ", 0, "", resolver},
		{"mangle ISTIO_INBOUND: -i lo -m mark --mark 0x539 -j CONNMARK --save-mark", iptables.V6, "", answer},
		{"delete mangle ISTIO_OUTPUT: -m connmark --mark 0x539 -j CONNMARK --restore-mark", iptables.V6, "", answer},
		{"swap mangle ISTIO_OUTPUT: -m connmark --mark 0x539 -j CONNMARK --restore-mark", 0, "", own},
		{"raw ISTIO_OUTPUT_DNS: -d 2001:db8:53::10/128 -p tcp -m tcp --dport 53 -m owner", iptables.V6, builder.TProxyMode, stray},
	}
}
