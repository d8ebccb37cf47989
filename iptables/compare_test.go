package iptables

import (
	"strings"
	"testing"
)

// output makes a rule set out of rules of ISTIO_OUTPUT.
func output(t *testing.T, rules ...string) Ruleset {
	t.Helper()
	lines := []string{":ISTIO_OUTPUT - [0:0]"}
	for _, r := range rules {
		lines = append(lines, "-A ISTIO_OUTPUT "+r)
	}
	return nat(t, lines...)
}

func TestCompareNamesEachPlaceOnce(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, want Ruleset
		differs    []string
	}{
		{
			"chains and jumps of both sides",
			nat(t, ":ISTIO_OUTPUT - [0:0]", ":ISTIO_INBOUND - [0:0]", "-A OUTPUT -p tcp -j ISTIO_OUTPUT", "-A PREROUTING -p tcp -j ISTIO_INBOUND",
				"-A ISTIO_INBOUND -j RETURN", "-A ISTIO_OUTPUT -o lo -j RETURN", "-A ISTIO_OUTPUT -p tcp -j RETURN"),
			nat(t, ":ISTIO_OUTPUT - [0:0]", ":ISTIO_REDIRECT - [0:0]", "-A OUTPUT -p tcp -j ISTIO_OUTPUT",
				"-A ISTIO_OUTPUT -o eth0 -j RETURN", "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001"),
			[]string{
				"nat ISTIO_OUTPUT rule 1: is -o lo -j RETURN, should be -o eth0 -j RETURN",
				"nat ISTIO_OUTPUT rule 2: unwanted -p tcp -j RETURN",
				"nat ISTIO_REDIRECT: missing chain",
				"nat PREROUTING rule 1: unwanted -p tcp -j ISTIO_INBOUND",
				"nat ISTIO_INBOUND: unwanted chain",
			},
		},
		{
			"a built-in chain without its jump", output(t), nat(t, ":ISTIO_OUTPUT - [0:0]", "-A OUTPUT -p tcp -j ISTIO_OUTPUT"),
			[]string{"nat OUTPUT rule 1: missing -p tcp -j ISTIO_OUTPUT"},
		},
		{
			"the first rule is missing", output(t, "-o b -j RETURN", "-o c -j RETURN"), output(t, "-o a -j RETURN", "-o b -j RETURN", "-o c -j RETURN"),
			[]string{"nat ISTIO_OUTPUT rule 1: missing -o a -j RETURN"},
		},
		{
			"a rule too many", output(t, "-o a -j RETURN", "-o b -j RETURN", "-o c -j RETURN"), output(t, "-o a -j RETURN", "-o c -j RETURN"),
			[]string{"nat ISTIO_OUTPUT rule 2: unwanted -o b -j RETURN"},
		},
		{
			"the last rule is missing", output(t, "-o a -j RETURN"), output(t, "-o a -j RETURN", "-o b -j RETURN"),
			[]string{"nat ISTIO_OUTPUT rule 2: missing -o b -j RETURN"},
		},
		{
			"rules around one that is right", output(t, "-o a -j RETURN", "-o b -j RETURN", "-o c -j RETURN"), output(t, "-o x -j RETURN", "-o b -j RETURN", "-o y -j RETURN"),
			[]string{
				"nat ISTIO_OUTPUT rule 1: is -o a -j RETURN, should be -o x -j RETURN",
				"nat ISTIO_OUTPUT rule 3: is -o c -j RETURN, should be -o y -j RETURN",
			},
		},
		{
			"a rule moved to the end", output(t, "-o b -j RETURN", "-o c -j RETURN", "-o a -j RETURN"), output(t, "-o a -j RETURN", "-o b -j RETURN", "-o c -j RETURN"),
			[]string{
				"nat ISTIO_OUTPUT rule 1: missing -o a -j RETURN",
				"nat ISTIO_OUTPUT rule 3: unwanted -o a -j RETURN",
			},
		},
		{
			"two in the place of one", output(t, "-o a -j RETURN", "-o x -j RETURN", "-o y -j RETURN", "-o c -j RETURN"), output(t, "-o a -j RETURN", "-o b -j RETURN", "-o c -j RETURN"),
			[]string{
				"nat ISTIO_OUTPUT rule 2: is -o x -j RETURN, should be -o b -j RETURN",
				"nat ISTIO_OUTPUT rule 3: unwanted -o y -j RETURN",
			},
		},
	} {
		var got []string
		for _, d := range Compare(c.have, c.want) {
			got = append(got, d.String())
		}
		if got, want := strings.Join(got, "\n"), strings.Join(c.differs, "\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, want)
		}
	}
}
