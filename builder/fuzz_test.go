package builder

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// FuzzSettings: whatever the text of two settings, it is refused, or its normal
// form means the same, and the rules it gives are rules of ours only, each
// still one line.
func FuzzSettings(f *testing.F) {
	all := Settings()
	for i, s := range all {
		f.Add(uint8(i), s.Default, uint8(0), "15001")
	}
	for _, file := range []string{"good.txt", "bad.txt"} {
		for i, row := range corpusRows(f, file) {
			f.Add(uint8(i), row.value, uint8(i/3), row.value)
		}
	}
	f.Add(uint8(10), "eth0\n-A OUTPUT -j ACCEPT", uint8(12), "10.0.0.0/8\nCOMMIT")
	f.Fuzz(func(t *testing.T, i uint8, text string, j uint8, more string) {
		inputs := []Input{
			{all[int(i)%len(all)].Flag, text, "test"}, {all[int(j)%len(all)].Flag, more, "test"},
			{"capture-all-dns", "true", "test"},
		}
		p, err := Parse(inputs, Options{})
		if err != nil {
			return
		}
		onlyOurs(t, p.Config)
		var again []Input
		for _, e := range p.Settings() {
			if e.Origin == "test" { // the last of two of one name
				again = append(again, Input{e.Flag, e.Value, "test"})
			}
		}
		same, err := Parse(again, Options{})
		if err != nil {
			t.Fatalf("%q is accepted, its normal form %q is not: %v", inputs, again, err)
		}
		if !reflect.DeepEqual(same.Config, p.Config) {
			t.Fatalf("%q gives\n%+v\nits normal form %q\n%+v", inputs, p.Config, again, same.Config)
		}
	})
}

// onlyOurs fails if the rules' text, read back, is anything but these rules in
// chains of ours and jumps to them.
func onlyOurs(t *testing.T, c Config) {
	t.Helper()
	for _, f := range iptables.Families() {
		rules := Build(c, f)
		if err := rules.Validate(); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		text := iptables.Render(rules)
		read, err := iptables.Parse(f, text)
		if err != nil {
			t.Fatalf("the rules do not read back: %v\n%s", err, text)
		}
		if got, want := strings.Count(text, "\n-A "), count(read); got != want {
			t.Fatalf("%d rules in\n%s\nwhich reads as %d", got, text, want)
		}
		if s := iptables.Reconcile(read, rules); !s.Empty() {
			t.Fatalf("the rules read back differently:\n%s\n%s", text, s)
		}
		for _, chain := range read.Chains {
			for _, r := range chain.Rules {
				if chain.IsBuiltin() && !iptables.Own(chain.Table, r.JumpChain()) {
					t.Fatalf("a rule of a built-in chain leads elsewhere: %s\n%s", r, text)
				}
			}
		}
	}
}

func count(rs iptables.Ruleset) int {
	n := 0
	for _, c := range rs.Chains {
		n += len(c.Rules)
	}
	return n
}

// FuzzResolvConf: a pod's resolv.conf gives resolvers or an error, never more
// of them than lines, and never a rule without an address.
func FuzzResolvConf(f *testing.F) {
	for _, file := range []string{"good.txt", "bad.txt"} {
		for _, row := range corpusRows(f, file) {
			if row.kind == "resolv.conf" {
				f.Add(row.value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		servers, _, err := parseResolvConf(text)
		if err != nil {
			return
		}
		if len(servers) == 0 || len(servers) > strings.Count(text, "\n")+1 {
			t.Fatalf("%d resolvers out of %q", len(servers), text)
		}
		c := Default()
		c.DNS = DNS{Servers: servers}
		onlyOurs(t, c)
	})
}
