package xtables

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestAnErrorIsOneLineOfWhatItKnows(t *testing.T) {
	under := errors.New("underneath")
	argv := []string{"/sbin/x", "-w"}
	for _, c := range []struct {
		err  Error
		want string
	}{
		{Error{Op: "read"}, "read: failed"},
		{Error{Op: "read", Kind: Busy}, "read: busy"},
		{Error{Op: "read", Kind: Capability}, "read: missing capability"},
		{Error{Op: "read", Kind: Unusable, Exit: 3}, "read: not supported here"},
		{Error{Op: "read", Err: under}, "read: underneath"},
		{Error{Op: "read", Err: under, Words: "no"}, "read: no"},
		{Error{Op: "read", Words: "no", Hint: "try again"}, "read: no; try again"},
		{Error{Op: "read", Argv: argv, Words: "no"}, "read: /sbin/x -w: no"},
		{Error{Op: "read", Argv: argv[:1], Exit: -1, Words: "no"}, "read: /sbin/x: no"},
		{Error{Op: "read", Argv: argv[:1], Exit: 1, Words: "no"}, "read: /sbin/x (exit code 1): no"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if e := (&Error{Err: under}); !errors.Is(e, under) {
		t.Errorf("%v does not hold the error underneath", e)
	}
}

func TestAnErrorOfOthersHasNoKindAndIsToldWhole(t *testing.T) {
	ours := &Error{Kind: Busy, Op: "read", Words: "locked"}
	for _, c := range []struct {
		err   error
		kind  Kind
		brief string
	}{
		{fmt.Errorf("apply: %w", ours), Busy, "locked"},
		{&Error{Kind: Unusable, Op: "read"}, Unusable, "read: not supported here"},
		{errors.New("other"), Failed, "other"},
	} {
		if kind, words := KindOf(c.err), brief(c.err); kind != c.kind || words != c.brief {
			t.Errorf("%v: got %s, %q; want %s, %q", c.err, kind, words, c.kind, c.brief)
		}
	}
}

func TestAChangeCountsTheLinesAndNamesTheTablesInTheirOrder(t *testing.T) {
	got := changeOf(iptables.Script{Family: iptables.V6, Tables: []iptables.TableScript{
		{Table: iptables.Nat, Declare: []string{":A - [0:0]"}, Append: []string{"-A A -j DROP", "-A A -j RETURN"}},
		{Table: iptables.Mangle, Destroy: []string{"-X B"}},
	}})
	want := []iptables.Table{iptables.Nat, iptables.Mangle}
	if got.Family != iptables.V6 || got.Lines != 4 || !slices.Equal(got.Tables, want) {
		t.Errorf("got %+v, want 4 lines of IPv6 in %s", got, want)
	}
}

func TestViaStartsWhatWritesAndNotWhatReads(t *testing.T) {
	b, _, err := Detect(host("nft"), Auto)
	if err != nil {
		t.Fatal(err)
	}
	const save, restore = "/usr/sbin/iptables-nft-save", "/usr/sbin/iptables-nft-restore"
	via := b.Via([]string{"nsenter", "-U"})
	for _, c := range []struct {
		tool Tool
		want string
	}{
		{via.tools[iptables.V4].save, save},
		{via.tools[iptables.V4].restore, "nsenter -U " + restore},
		{via.tools[iptables.V6].restore, "nsenter -U /usr/sbin/ip6tables-nft-restore"},
		{b.tools[iptables.V4].restore, restore}, // as it was
	} {
		if got := strings.Join(c.tool.Argv, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
