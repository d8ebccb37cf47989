package iptables

import (
	"strings"
	"testing"
)

// FuzzParseRule: a rule that is understood is printed so that it is understood
// the same again.
func FuzzParseRule(f *testing.F) {
	for _, c := range canonicalRules() {
		f.Add(c.text)
	}
	for _, name := range []string{"dumps/istio-init-2022.save", "legacy/tproxy.save"} {
		for line := range strings.Lines(readFile(f, name)) {
			if strings.HasPrefix(line, "-A ") {
				f.Add(strings.TrimSpace(line[3:]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\n\r\v\f\x00") {
			t.Skip("not one line")
		}
		r, err := ParseRule(text)
		if err != nil {
			return
		}
		once := r.String()
		again, err := ParseRule(once)
		if err != nil {
			t.Fatalf("%q is printed as %q, which does not parse: %v", text, once, err)
		}
		if twice := again.String(); twice != once {
			t.Fatalf("%q is printed as %q, then as %q", text, once, twice)
		}
	})
}

// FuzzParse: any dump either is refused or can be compared with itself, and
// removing what is ours from it asks for nothing but removal.
func FuzzParse(f *testing.F) {
	for _, name := range []string{
		"dumps/istio-init-2022.save", "dumps/istio-init-2022.restore", "legacy/tproxy.save", "legacy/foreign.save",
	} {
		f.Add(readFile(f, name))
	}
	f.Add("*nat\n:OUTPUT ACCEPT [0:0]\n[1:2] -A OUTPUT -j ISTIO_OUTPUT\nCOMMIT\n")
	f.Add("-P INPUT ACCEPT\n-N ISTIO_OUTPUT\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\n")
	f.Fuzz(func(t *testing.T, dump string) {
		rs, err := Parse(V4, dump)
		if err != nil {
			return
		}
		if s := Reconcile(rs, rs.Own()); !s.Empty() {
			t.Fatalf("a dump differs from itself:\n%s\n%s", dump, s)
		}
		for _, ts := range Reconcile(rs, Ruleset{Family: V4}).Tables {
			if len(ts.Append) > 0 {
				t.Fatalf("removal appends %q", ts.Append)
			}
		}
	})
}
