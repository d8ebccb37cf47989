package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func drift(changes []Change) string {
	var s []string
	for _, c := range changes {
		s = append(s, c.Drift())
	}
	return strings.Join(s, "\n")
}

func TestDriftReadsAsLines(t *testing.T) {
	have := TProxy(1, 2, iptables.V4)
	want := TProxy(0x539, 133, iptables.V6)
	want.Addrs = []Addr{SixAddr()}
	got := drift(Reconcile(have, want))
	const lines = `missing: ip -6 addr ::6/128 dev lo
missing: ip -6 route local ::/0 dev lo table 133 protocol 201
missing: ip -6 rule fwmark 0x539 lookup 133 protocol 201
unexpected: ip -4 rule fwmark 0x1 lookup 2 protocol 201
unexpected: ip -4 route local 0.0.0.0/0 dev lo table 2 protocol 201`
	if got != lines {
		t.Errorf("got:\n%s\nwant:\n%s", got, lines)
	}
}

// act is a namespace of the imagination: it does what a change says.
func act(p Plumbing, changes []Change) Plumbing {
	p = Plumbing{slices.Clone(p.Rules), slices.Clone(p.Routes), slices.Clone(p.Addrs)}
	for _, c := range changes {
		switch i := c.Item.(type) {
		case Rule:
			p.Rules = edit(p.Rules, c.Verb, i)
		case Route:
			p.Routes = edit(p.Routes, c.Verb, i)
		case Addr:
			p.Addrs = edit(p.Addrs, c.Verb, i)
		}
	}
	return p
}

func edit[T comparable](list []T, verb Verb, item T) []T {
	if verb == Add {
		return append(list, item)
	}
	at := slices.Index(list, item)
	return slices.Delete(list, at, at+1)
}

// states is every plumbing of up to one item of each of a few kinds, some
// twice, some foreign.
func states() []Plumbing {
	foreign := MarkRule(iptables.V4, 1, 2)
	foreign.Protocol = 3
	narrow := MarkRule(iptables.V4, 1, 2)
	narrow.Also = "iif eth0"
	rules := []Rule{MarkRule(iptables.V4, 1, 2), MarkRule(iptables.V4, 1, 2), MarkRule(iptables.V6, 1, 2), MarkRule(iptables.V4, 9, 2), foreign, narrow}
	routes := []Route{LocalDefault(iptables.V4, 2), LocalDefault(iptables.V6, 2)}
	var all []Plumbing
	for bits := range 1 << 9 {
		var p Plumbing
		for i, r := range rules {
			if bits>>i&1 == 1 {
				p.Rules = append(p.Rules, r)
			}
		}
		for i, r := range routes {
			if bits>>(6+i)&1 == 1 {
				p.Routes = append(p.Routes, r)
			}
		}
		if bits>>8 == 1 {
			p.Addrs = []Addr{SixAddr()}
		}
		all = append(all, p)
	}
	return all
}

func TestReconcileReachesTheWishAndThenRests(t *testing.T) {
	all := states()
	for i, have := range all {
		for j := i % 7; j < len(all); j += 7 {
			want := all[j]
			after := act(have, Reconcile(have, want))
			if rest := Reconcile(after, want); len(rest) != 0 {
				t.Fatalf("from %v to %v: not at rest: %v", have, want, rest)
			}
			if foreign(after) != foreign(have) {
				t.Fatalf("from %v to %v: foreign rules %s became %s", have, want, foreign(have), foreign(after))
			}
		}
	}
}

func foreign(p Plumbing) string {
	return fmt.Sprint(slices.DeleteFunc(slices.Clone(p.Rules), Rule.Ours))
}

func TestNoRuleStandsWithoutItsRouteWhileTablesChange(t *testing.T) {
	changes := Reconcile(TProxy(1, 2, iptables.V4, iptables.V6), TProxy(3, 4, iptables.V4, iptables.V6))
	var routes []Route = TProxy(1, 2, iptables.V4, iptables.V6).Routes
	rules := TProxy(1, 2, iptables.V4, iptables.V6).Rules
	for i, c := range changes {
		switch item := c.Item.(type) {
		case Rule:
			rules = edit(rules, c.Verb, item)
		case Route:
			routes = edit(routes, c.Verb, item)
		}
		for _, r := range rules {
			if !slices.Contains(routes, LocalDefault(r.Family, r.Table)) {
				t.Errorf("after change %d (%s): %s has no route", i, c, r)
			}
		}
		if len(rules) < 2 {
			t.Errorf("after change %d (%s): a family has no rule", i, c)
		}
	}
}

func TestTargetsAreReadOrRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":             "[/proc/thread-self/ns/net]",
		"pod":          "[/run/netns/pod /var/run/netns/pod]",
		"42":           "[/proc/42/ns/net]",
		"/x/42":        "[/x/42]",
		"./pod":        "[./pod]",
		"cni-1234-abc": "[/run/netns/cni-1234-abc /var/run/netns/cni-1234-abc]",
	} {
		got, err := ParseTarget(text)
		if err != nil || fmt.Sprint(got.paths()) != want {
			t.Errorf("ParseTarget(%q): got %v, %v, want %s", text, got.paths(), err, want)
		}
	}
	for _, text := range []string{".", "..", "0", "4294967296", "99999999999999999999", "a\x00b"} {
		_, err := ParseTarget(text)
		var typed *Error
		if !errors.As(err, &typed) || typed.Hint == "" {
			t.Errorf("ParseTarget(%q): got %v, want an *Error with a hint", text, err)
		}
	}
}

func TestTargetsAreNamedAsTheyWereGiven(t *testing.T) {
	for text, want := range map[string]string{"": "the current namespace", "pod": "pod", "/x/42": "/x/42"} {
		target, err := ParseTarget(text)
		if err != nil || target.String() != want {
			t.Errorf("%q: got %q, %v; want %q", text, target, err, want)
		}
	}
	for pid, ok := range map[string]bool{"1": true, "010": true, "2147483647": true, "2147483648": false, "0": false} {
		_, err := ParseTarget(pid)
		var typed *Error
		if (err == nil) != ok || err != nil && (!errors.As(err, &typed) || typed.Target != pid) {
			t.Errorf("process %s: got %v, want an error that names it: %t", pid, err, !ok)
		}
	}
}

func TestPureItemsReadAsTheCommandsThatMakeThem(t *testing.T) {
	odd := Rule{Family: iptables.V4, Mark: 1, Mask: 0xff, Table: 5, Protocol: 3, Priority: 77, Also: "iif eth0"}
	route := LocalDefault(iptables.V4, 2)
	route.Also = "scope host"
	four := Addr{Prefix: iptables.Host(netip.MustParseAddr("192.0.2.1")), Dev: "eth0"}
	for _, c := range []struct {
		item      Item
		add, gone string
		bare      string
	}{
		{MarkRule(iptables.V6, 0x539, 133), "ip -6 rule add fwmark 0x539 lookup 133 protocol 201",
			"ip -6 rule del fwmark 0x539 lookup 133 protocol 201", "ip -6 rule fwmark 0x539 lookup 133 protocol 201"},
		{odd, "ip -4 rule add pref 77 iif eth0 fwmark 0x1/0xff lookup 5 protocol 3",
			"ip -4 rule del pref 77 iif eth0 fwmark 0x1/0xff lookup 5 protocol 3", "ip -4 rule pref 77 iif eth0 fwmark 0x1/0xff lookup 5 protocol 3"},
		{route, "ip -4 route add local 0.0.0.0/0 dev lo table 2 protocol 201 scope host",
			"ip -4 route del local 0.0.0.0/0 dev lo table 2 protocol 201 scope host", "ip -4 route local 0.0.0.0/0 dev lo table 2 protocol 201 scope host"},
		{SixAddr(), "ip -6 addr add ::6/128 dev lo nodad", "ip -6 addr del ::6/128 dev lo", "ip -6 addr ::6/128 dev lo"},
		{four, "ip -4 addr add 192.0.2.1/32 dev eth0", "ip -4 addr del 192.0.2.1/32 dev eth0", "ip -4 addr 192.0.2.1/32 dev eth0"},
	} {
		add, gone := Change{Add, c.item}, Change{Remove, c.item}
		got := []string{fmt.Sprint(c.item), add.String(), gone.String(), add.Drift(), gone.Drift()}
		if want := []string{c.add, c.add, c.gone, "missing: " + c.bare, "unexpected: " + c.bare}; !slices.Equal(got, want) {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
	}
	p := TProxy(1, 2, iptables.V4)
	p.Addrs = []Addr{SixAddr()}
	const want = "ip -6 addr add ::6/128 dev lo nodad; ip -4 route add local 0.0.0.0/0 dev lo table 2 protocol 201; ip -4 rule add fwmark 0x1 lookup 2 protocol 201"
	if got := strings.Join(p.Commands(), "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What is found carries a place, the kernel's own message, and the number of
// who made it. None of that makes it another wish.
func TestReconcileKnowsWhatIsWantedHoweverItWasMade(t *testing.T) {
	want := TProxy(1, 2, iptables.V4)
	want.Addrs = []Addr{SixAddr()}
	for _, protocol := range []uint8{Protocol, 3} {
		rule, route, addr := want.Rules[0], want.Routes[0], want.Addrs[0]
		rule.Priority, rule.raw, rule.Protocol = 32765, "rule", protocol
		route.raw, route.Protocol = "route", protocol
		addr.raw, addr.Protocol = "addr", protocol
		have := Plumbing{[]Rule{rule}, []Route{route}, []Addr{addr}}
		if got := Reconcile(have, want); len(got) > 0 {
			t.Errorf("made by %d: got %v, want no change", protocol, got)
		}
		if got := len(Reconcile(have, Plumbing{})); (got == 3) != (protocol == Protocol) {
			t.Errorf("made by %d: %d are removed", protocol, got)
		}
	}
	twice := Plumbing{Rules: []Rule{want.Rules[0], want.Rules[0]}}
	if got := Reconcile(twice, Plumbing{Rules: twice.Rules[:1]}); len(got) != 1 || got[0].Verb != Remove {
		t.Errorf("found twice: got %v, want one to go", got)
	}
	if got := Reconcile(Plumbing{}, Plumbing{Rules: []Rule{want.Rules[0], want.Rules[0]}}); len(got) != 1 {
		t.Errorf("wanted twice: got %v, want it once", got)
	}
}

func TestStatusesHaveWords(t *testing.T) {
	if got := fmt.Sprint(IPv6Status(0)); got != "unknown" {
		t.Errorf("got %q before anybody looked, want unknown", got)
	}
	got := fmt.Sprint(IPv6Enabled, ", ", IPv6Disabled, ", ", IPv6Absent)
	if want := "enabled, disabled by sysctl, absent in the kernel"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOursStaysWhenSomebodyElseProvidesTheSame(t *testing.T) {
	theirs := MarkRule(iptables.V4, 1, 2)
	theirs.Protocol = 3
	want := TProxy(1, 2, iptables.V4)
	have := Plumbing{Rules: []Rule{theirs, want.Rules[0]}, Routes: want.Routes}
	if got := Reconcile(have, want); len(got) != 0 {
		t.Errorf("got %v, want no change", got)
	}
}
