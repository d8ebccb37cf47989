package iptables

import (
	"slices"
	"strings"
	"testing"
)

// nat makes a rule set out of restore lines of the nat table.
func nat(t *testing.T, lines ...string) Ruleset {
	t.Helper()
	rs, err := Parse(V4, "*nat\n"+strings.Join(lines, "\n")+"\nCOMMIT\n")
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// wanted is a small complete rule set; lines are added to it.
func wanted(t *testing.T, lines ...string) Ruleset {
	t.Helper()
	return nat(t, append([]string{
		":ISTIO_OUTPUT - [0:0]", ":ISTIO_REDIRECT - [0:0]",
		"-A OUTPUT -p tcp -j ISTIO_OUTPUT",
		"-A ISTIO_OUTPUT -o lo -j RETURN", "-A ISTIO_OUTPUT -j ISTIO_REDIRECT",
		"-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
	}, lines...)...)
}

func TestReconcileChangesOnlyWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, want Ruleset
		script     string
	}{
		{"nothing differs", wanted(t), wanted(t), ""},
		{"foreign rules differ", wanted(t, "-A OUTPUT -p udp -j ACCEPT", ":OTHER - [0:0]", "-A OTHER -j DROP"), wanted(t), ""},
		{"nothing is there", nat(t), wanted(t), `*nat
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A OUTPUT -p tcp -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -o lo -j RETURN
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`},
		{"one chain differs, and its jump stays", wanted(t, "-A ISTIO_REDIRECT -j RETURN"), wanted(t), `*nat
:ISTIO_REDIRECT - [0:0]
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`},
		{"a jump is doubled", wanted(t, "-A OUTPUT -p tcp -j ISTIO_OUTPUT"), wanted(t), `*nat
-D OUTPUT -p tcp -j ISTIO_OUTPUT
COMMIT
`},
		{"a jump is doubled behind another, so the first equal one must not go alone", wanted(t,
			"-A OUTPUT -p udp -j ISTIO_OUTPUT", "-A OUTPUT -p tcp -j ISTIO_OUTPUT"), wanted(t, "-A OUTPUT -p udp -j ISTIO_OUTPUT"), `*nat
-D OUTPUT -p tcp -j ISTIO_OUTPUT
-D OUTPUT -p udp -j ISTIO_OUTPUT
-D OUTPUT -p tcp -j ISTIO_OUTPUT
-A OUTPUT -p tcp -j ISTIO_OUTPUT
-A OUTPUT -p udp -j ISTIO_OUTPUT
COMMIT
`},
		{"a jump behind two right ones is of no use, and they stay", wanted(t,
			"-A OUTPUT -p udp -j ISTIO_OUTPUT", "-A OUTPUT -p icmp -j ISTIO_OUTPUT"), wanted(t, "-A OUTPUT -p udp -j ISTIO_OUTPUT"), `*nat
-D OUTPUT -p icmp -j ISTIO_OUTPUT
COMMIT
`},
		{"a jump goes by the words in which it was printed", wanted(t, "-A OUTPUT -p 17 -j ISTIO_OUTPUT"), wanted(t), `*nat
-D OUTPUT -p 17 -j ISTIO_OUTPUT
COMMIT
`},
		{"a jump is missing", nat(t,
			":ISTIO_OUTPUT - [0:0]", ":ISTIO_REDIRECT - [0:0]", "-A ISTIO_OUTPUT -o lo -j RETURN",
			"-A ISTIO_OUTPUT -j ISTIO_REDIRECT", "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001"), wanted(t), `*nat
-A OUTPUT -p tcp -j ISTIO_OUTPUT
COMMIT
`},
		{"a foreign chain jumps into ours", wanted(t, ":OTHER - [0:0]", "-A OTHER -j ISTIO_OUTPUT"), wanted(t), `*nat
-D OTHER -j ISTIO_OUTPUT
COMMIT
`},
		{"foreign chains are mended in their order, whatever other tables call theirs", wanted(t,
			":FIRST - [0:0]", ":SECOND - [0:0]", "-A FIRST -j ISTIO_OUTPUT", "-A SECOND -j ISTIO_OUTPUT", "COMMIT",
			"*mangle", ":SECOND - [0:0]", ":ISTIO_OUTPUT - [0:0]", "-A SECOND -j ISTIO_OUTPUT"), wanted(t), `*mangle
:ISTIO_OUTPUT - [0:0]
-D SECOND -j ISTIO_OUTPUT
-X ISTIO_OUTPUT
COMMIT
*nat
-D FIRST -j ISTIO_OUTPUT
-D SECOND -j ISTIO_OUTPUT
COMMIT
`},
		{"a chain is no longer wanted", wanted(t, ":ISTIO_INBOUND - [0:0]", "-A ISTIO_INBOUND -j RETURN"), wanted(t), `*nat
:ISTIO_INBOUND - [0:0]
-X ISTIO_INBOUND
COMMIT
`},
		{"everything is to go", wanted(t, "-A OUTPUT -p udp -j ACCEPT"), Ruleset{Family: V4}, `*nat
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-D OUTPUT -p tcp -j ISTIO_OUTPUT
-X ISTIO_OUTPUT
-X ISTIO_REDIRECT
COMMIT
`},
	} {
		if got := Reconcile(c.have, c.want).String(); got != c.script {
			t.Errorf("%s:\n got\n%s\nwant\n%s", c.name, got, c.script)
		}
	}
}

func TestOrderOfRulesIsPartOfTheDifference(t *testing.T) {
	swapped := nat(t,
		":ISTIO_OUTPUT - [0:0]", ":ISTIO_REDIRECT - [0:0]", "-A OUTPUT -p tcp -j ISTIO_OUTPUT",
		"-A ISTIO_OUTPUT -j ISTIO_REDIRECT", "-A ISTIO_OUTPUT -o lo -j RETURN",
		"-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001")
	if got := Compare(swapped, wanted(t)); len(got) != 2 {
		t.Errorf("two swapped rules give %v, want two differences", got)
	}
	if got := Reconcile(swapped, wanted(t)).Lines(); got != 3 {
		t.Errorf("mending takes %d lines, want one chain emptied and two rules", got)
	}
}

func TestEverySingleEditOfOursIsADifference(t *testing.T) {
	want := wanted(t)
	for i, c := range want.Chains {
		for j := range c.Rules {
			edited := wanted(t)
			rules := edited.Chains[i].Rules
			edited.Chains[i].Rules = append(rules[:j:j], rules[j+1:]...)
			if len(Compare(edited, want)) == 0 || Reconcile(edited, want).Empty() {
				t.Errorf("nobody misses %s rule %d", c.Name, j+1)
			}
			edited.Chains[i].Rules = append(rules[:j:j], append([]Rule{{Target: Accept()}}, rules[j:]...)...)
			ours := Own(c.Table, c.Name) // in a built-in chain that rule is someone else's
			if ours != (len(Compare(edited, want)) > 0) || ours == Reconcile(edited, want).Empty() {
				t.Errorf("an added rule before %s rule %d: differences %v", c.Name, j+1, Compare(edited, want))
			}
		}
	}
}

func TestRulesWhoseCommentNamesOursAreNotOurs(t *testing.T) {
	rs := parsedFile(t, V4, "legacy/foreign.save")
	if own := rs.Own(); !own.Empty() {
		t.Errorf("taken for ours: %v", own)
	}
	if s := Reconcile(rs, Ruleset{Family: V4}); !s.Empty() {
		t.Errorf("removal would write\n%s", s)
	}
}

func TestFixedFormsOfTheMeshGoWithItsChains(t *testing.T) {
	rs := parsedFile(t, V4, "legacy/tproxy.save")
	s := Reconcile(rs, Ruleset{Family: V4})
	if got, want := len(s.Tables[0].Delete), 7; got != want {
		t.Errorf("%d rules of built-in chains go, want %d:\n%s", got, want, s)
	}
	if diffs := Compare(rs, Ruleset{Family: V4}); len(diffs) == 0 {
		t.Error("the mesh's rules are no difference from none")
	}
}

func TestTablesThatLoseSomethingAreCommittedLast(t *testing.T) {
	redirect := wanted(t, ":ISTIO_INBOUND - [0:0]", "-A PREROUTING -p tcp -j ISTIO_INBOUND", "-A ISTIO_INBOUND -j RETURN")
	tproxy := wanted(t)
	tproxy.Append(Mangle, Prerouting, Rule{Match: []Match{TCP()}, Target: Jump(ChainInbound)})
	tproxy.Append(Mangle, ChainInbound, Rule{Target: Return()})
	for _, c := range []struct {
		name       string
		have, want Ruleset
		first      Table
	}{
		{"REDIRECT to TPROXY", redirect, tproxy, Mangle},
		{"TPROXY to REDIRECT", tproxy, redirect, Nat},
	} {
		s := Reconcile(c.have, c.want)
		if len(s.Tables) != 2 || s.Tables[0].Table != c.first {
			t.Errorf("%s: %s, want %s first", c.name, s, c.first)
		}
	}
}

func TestTablesThatLoseMuchOrLittleKeepTheirOrder(t *testing.T) {
	have := wanted(t, "COMMIT", "*raw", ":ISTIO_INBOUND - [0:0]", ":ISTIO_OUTPUT_DNS - [0:0]",
		"-A PREROUTING -j ISTIO_INBOUND", "-A OUTPUT -j ISTIO_OUTPUT_DNS", "COMMIT", "*mangle", "-A PREROUTING -j ISTIO_INBOUND")
	var got []Table
	for _, ts := range Reconcile(have, Ruleset{Family: V4}).Tables {
		got = append(got, ts.Table)
	}
	if want := []Table{Raw, Mangle, Nat}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
