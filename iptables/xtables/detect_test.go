package xtables

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// host describes a machine in words: "plain=nft nft legacy", single programs,
// "iptables-save=nft", and what stands in its namespace: "own-legacy",
// "rules-nft", "tables-legacy", "no-netraw", ….
func host(words string) Env {
	env := Env{Tools: map[string]Tool{}, Path: []string{"/usr/sbin", "/sbin"}}
	for _, f := range iptables.Families() {
		env.Standing = append(env.Standing, Standing{Flavour: NFT, Family: f, Asked: true}, Standing{Flavour: Legacy, Family: f, Asked: true})
	}
	for word := range strings.FieldsSeq(words) {
		env.describe(word)
	}
	return env
}

func (e *Env) describe(word string) {
	if name, flavour, ok := strings.Cut(word, "="); ok && strings.Contains(name, "tables-") {
		e.program(name, Flavour(flavour))
		return
	}
	kind, flavour, _ := strings.Cut(strings.Replace(word, "=", "-", 1), "-")
	f := Flavour(flavour)
	switch kind {
	case "nft", "legacy":
		e.install("-"+kind, Flavour(kind))
	case "plain":
		e.install("", f)
	case "broken":
		e.install("", "")
	case "own":
		e.stands(f, func(s *Standing) { s.Own, s.Rules, s.Tables = true, true, []iptables.Table{iptables.Nat} })
	case "rules":
		e.stands(f, func(s *Standing) { s.Rules, s.Tables = true, []iptables.Table{iptables.Nat} })
	case "tables":
		e.stands(f, func(s *Standing) { s.Tables = []iptables.Table{iptables.Nat} })
	case "unasked":
		e.stands(f, func(s *Standing) { s.Asked, s.Tables = false, []iptables.Table{iptables.Nat} })
	case "unknown":
		e.stands(f, func(s *Standing) { s.Asked = false })
	case "error":
		e.stands(f, func(s *Standing) { s.Err = &Error{Kind: Unusable, Op: "ask", Words: "no " + flavour} })
	case "failure":
		e.stands(f, func(s *Standing) { s.Err = &Error{Op: "read", Words: "strange " + flavour} })
	case "error6":
		e.stands(f, func(s *Standing) { s.Err = map[iptables.Family]error{iptables.V6: errSix}[s.Family] })
		slices.Reverse(e.Standing)
	case "absent":
		e.stands(f, func(s *Standing) { s.Absent = true })
	case "no":
		e.NoNetAdmin, e.NoNetRaw = e.NoNetAdmin || flavour == "netadmin", e.NoNetRaw || flavour == "netraw"
	default:
		panic("no such word: " + word)
	}
}

func (e *Env) install(infix string, f Flavour) {
	for _, family := range iptables.Families() {
		for _, verb := range []string{"-save", "-restore"} {
			e.program(map[iptables.Family]string{iptables.V4: "iptables", iptables.V6: "ip6tables"}[family]+infix+verb, f)
		}
	}
}

// program is there; without a flavour it does not say what it is.
func (e *Env) program(name string, f Flavour) {
	tool := Tool{Argv: []string{"/usr/sbin/" + name}, Flavour: f, How: "test"}
	if f == "" {
		tool.How, tool.Err = "", errors.New("no version")
	}
	e.Tools[name] = tool
}

var errSix = errors.New("no IPv6")

func (e *Env) stands(f Flavour, change func(*Standing)) {
	for i := range e.Standing {
		if e.Standing[i].Flavour == f {
			change(&e.Standing[i])
		}
	}
}

func TestDetectChooses(t *testing.T) {
	for _, c := range []struct {
		host   string
		choice Choice
		want   Flavour // "" is an error of the kind
		kind   Kind
	}{
		{"plain=nft nft legacy", Auto, NFT, 0},
		{"plain=legacy nft legacy", Auto, Legacy, 0},
		{"nft legacy", Auto, NFT, 0},
		{"legacy", Auto, Legacy, 0},
		{"plain=legacy", Auto, Legacy, 0},
		{"xtables-nft-multi=nft", Auto, NFT, 0},
		{"", Auto, "", Unusable},
		{"broken", Auto, "", Unusable},
		{"plain=nft nft legacy own-legacy", Auto, Legacy, 0},
		{"plain=legacy nft legacy own-nft", Auto, NFT, 0},
		{"plain=legacy nft legacy own-nft own-legacy", Auto, Legacy, 0},
		{"plain=nft nft own-legacy", Auto, "", Unusable}, // ours cannot be changed there
		{"plain=nft nft legacy rules-legacy", Auto, Legacy, 0},
		{"plain=nft nft legacy tables-legacy", Auto, NFT, 0}, // empty tables are someone's probe
		{"plain=nft nft legacy rules-legacy rules-nft", Auto, NFT, 0},
		{"plain=nft nft rules-legacy", Auto, NFT, 0},
		{"plain=legacy nft legacy absent-legacy", Auto, NFT, 0},
		{"plain=legacy nft legacy no-netraw", Auto, NFT, 0},
		{"legacy no-netraw", Auto, "", Capability},
		{"plain=nft nft legacy no-netadmin", Auto, "", Capability},
		{"plain=nft nft legacy", ChooseLegacy, Legacy, 0},
		{"plain=legacy nft legacy own-legacy", ChooseNFT, NFT, 0},
		{"plain=nft nft", ChooseLegacy, "", Unusable},
		{"plain=legacy", ChooseNFT, "", Unusable},
		{"plain=legacy", ChooseLegacy, Legacy, 0},
		{"legacy no-netraw", ChooseLegacy, "", Capability},
		{"legacy absent-legacy", ChooseLegacy, "", Unusable},
		{"plain=legacy nft legacy own-nft", Plain, Legacy, 0},
		{"plain=nft nft legacy rules-legacy", Plain, NFT, 0},
		{"nft legacy", Plain, "", Unusable},
	} {
		b, reasons, err := Detect(host(c.host), c.choice)
		switch {
		case c.want == "":
			if err == nil || KindOf(err) != c.kind {
				t.Errorf("%q, %s: got %s, %v of kind %s; want kind %s", c.host, c.choice, b, err, KindOf(err), c.kind)
			}
		case err != nil || b.Flavour != c.want:
			t.Errorf("%q, %s: got %s, %v; want %s", c.host, c.choice, b, err, c.want)
		case len(reasons) == 0:
			t.Errorf("%q, %s: no reason is given", c.host, c.choice)
		}
	}
}

func TestDetectDoesNotChangeSidesOnASecondRun(t *testing.T) {
	parts := []string{"plain=nft", "plain=legacy", "nft", "legacy", "rules-nft", "rules-legacy", "tables-nft", "tables-legacy"}
	for bits := range 1 << len(parts) {
		var words []string
		for i, p := range parts {
			if bits>>i&1 == 1 {
				words = append(words, p)
			}
		}
		first, _, err := Detect(host(strings.Join(words, " ")), Auto)
		if err != nil {
			continue
		}
		words = append(words, "own-"+string(first.Flavour))
		second, _, err := Detect(host(strings.Join(words, " ")), Auto)
		if err != nil || second.Flavour != first.Flavour {
			t.Errorf("%v: first %s, then %s %v", words, first, second, err)
		}
	}
}

func TestTheOtherFlavourIsVisitedWhereOursMayStand(t *testing.T) {
	for _, c := range []struct {
		host string
		want []string
	}{
		{"nft legacy own-legacy", []string{"iptables-legacy"}},
		{"nft legacy unasked-legacy", nil}, // nobody knows: a reason says so
		{"nft legacy rules-legacy", nil},
		{"nft legacy own-nft", nil}, // the chosen one
	} {
		b, _, err := Detect(host(c.host), ChooseNFT)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range Others(host(c.host), b) {
			got = append(got, o.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.host, got, c.want)
		}
	}
}

func TestRemovalVisitsWhereOursMayStand(t *testing.T) {
	for words, want := range map[string]int{
		"nft legacy": 0, "nft unknown-legacy": 0, "nft unasked-legacy": 1, "nft legacy own-legacy own-nft": 2, "nft legacy rules-legacy rules-nft": 0,
	} {
		if got := Present(host(words)); len(got) != want {
			t.Errorf("%q: %v, want %d", words, got, want)
		}
	}
}

func TestMissingIPv6ProgramsAreAFact(t *testing.T) {
	env := host("nft")
	delete(env.Tools, "ip6tables-nft-restore")
	b, _, err := Detect(env, Auto)
	if err != nil || !b.Has(iptables.V4) || b.Has(iptables.V6) {
		t.Errorf("%v: IPv4 %v, IPv6 %v", err, b.Has(iptables.V4), b.Has(iptables.V6))
	}
}

func TestFlavoursAreReadOffNamesAndVersions(t *testing.T) {
	for name, want := range map[string]Flavour{
		"xtables-nft-multi": NFT, "xtables-legacy-multi": Legacy, "xtables-multi": Legacy, "iptables-nft-restore": NFT,
		"ip6tables-legacy-save": Legacy, "iptables-restore": "", "iptables-wrapper": "",
	} {
		if got := flavourOfName(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for words, want := range map[string]Flavour{
		"iptables-restore v1.8.9 (nf_tables)\n": NFT, "ip6tables-restore v1.8.9 (legacy)": Legacy, "iptables-restore v1.6.1": Legacy,
	} {
		if got, _, err := flavourOfVersion(words); got != want || err != nil {
			t.Errorf("%s: got %q %v, want %q", words, got, err, want)
		}
	}
	for _, words := range []string{"", "hello", "BusyBox v1.36", "nft v1.0 (nf_tables)", "iptables: command not found"} {
		if got, _, err := flavourOfVersion(words); err == nil {
			t.Errorf("%q: got %q", words, got)
		}
	}
}

func TestChoicesHaveOneSpelling(t *testing.T) {
	for text, want := range map[string]string{
		"": "auto", "auto": "auto", "IPTABLES": "iptables", "iptables-nft": "iptables-nft", "nft": "iptables-nft", " legacy ": "iptables-legacy",
		"iptables-Legacy": "iptables-legacy",
	} {
		c := Plain // a second word overwrites the first
		if err := c.UnmarshalText([]byte(text)); err != nil || c.String() != want {
			t.Errorf("%q: got %s %v, want %s", text, c, err, want)
		}
	}
	var c Choice
	if err := c.UnmarshalText([]byte("ebtables")); err == nil {
		t.Error("ebtables is accepted")
	}
}

func TestToolsWordsAreClassified(t *testing.T) {
	for _, c := range []struct {
		exit  int
		words string
		want  Kind
	}{
		{4, "Another app is currently holding the xtables lock. Stopped waiting after 1s.", Busy},
		{4, "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)", Capability},
		{4, "", Busy},
		{2, "iptables-restore v1.8.9 (legacy): Couldn't load match `nomatch':No such file or directory", Unusable},
		{2, "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'", Unusable},
		{1, "iptables-nft-restore: unrecognized option '--wat'", Unusable},
		{1, "iptables-restore: line 2 failed", Failed},
		{1, "", Failed},
	} {
		if got, _ := classify(c.exit, c.words); got != c.want {
			t.Errorf("exit %d %q: got %s, want %s", c.exit, c.words, got, c.want)
		}
	}
}
