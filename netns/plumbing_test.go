package netns

import (
	"errors"
	"fmt"
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

func TestStatusesHaveWords(t *testing.T) {
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
