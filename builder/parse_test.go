package builder

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestWhatIsNotGivenHasItsDefault(t *testing.T) {
	p, err := Parse([]Input{{"envoy-port", "16001", "test"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	settings := Settings()
	if len(p.Settings()) != len(settings) {
		t.Fatalf("got %d settings, want all %d", len(p.Settings()), len(settings))
	}
	for i, s := range settings {
		want := Effective{s.Flag, s.Default, "default"}
		switch s.Flag {
		case "envoy-port":
			want = Effective{s.Flag, "16001", "test"}
		case "proxy-gid":
			want = Effective{s.Flag, "1337", "default, as proxy-uid"}
		}
		if p.Settings()[i] != want {
			t.Errorf("got %+v, want %+v", p.Settings()[i], want)
		}
	}
}

func TestSettingsAreShownAsTheyCount(t *testing.T) {
	for _, c := range []struct {
		inputs []Input
		want   Effective
	}{
		{[]Input{{"envoy-port", "7", "a"}, {"envoy-port", " ", "b"}}, Effective{"envoy-port", "7", "a"}},
		{[]Input{{"proxy-uid", "1337, 2000-2001,,1337", "a"}}, Effective{"proxy-uid", "1337,2000-2001", "a"}},
		{[]Input{{"proxy-uid", "7", "a"}}, Effective{"proxy-gid", "7", "default, as proxy-uid"}},
		{[]Input{{"proxy-uid", "7", "a"}, {"proxy-gid", " 8 ", "b"}}, Effective{"proxy-gid", "8", "b"}},
		{[]Input{{"proxy-uid", ",", "a"}}, Effective{"proxy-uid", "1337", "default"}},
		{[]Input{{"proxy-uid", "7", "a"}, {"proxy-gid", ",", "b"}}, Effective{"proxy-gid", "7", "default, as proxy-uid"}},
		{[]Input{{"istio-inbound-tproxy-mark", "0x53a0", "a"}}, Effective{"istio-inbound-tproxy-mark", "21408", "a"}},
		{[]Input{{"istio-service-cidr", "10.1.2.3/8", "a"}}, Effective{"istio-service-cidr", "10.0.0.0/8", "a"}},
		{[]Input{{"kube-virt-interfaces", "net1, net2", "a"}}, Effective{"kube-virt-interfaces", "net1,net2", "a"}},
		{[]Input{{"exclude-outbound-ports-for-uids", "TCP:80:7;;udp:53:7-9;", "a"}}, Effective{"exclude-outbound-ports-for-uids", "tcp:80:7;udp:53:7-9", "a"}},
		{[]Input{{"dns-servers", "192.0.2.53, 2001:DB8::53", "a"}}, Effective{"dns-servers", "192.0.2.53,2001:db8::53", "a"}},
		{[]Input{{"owner-groups", "none", "a"}}, Effective{"owner-groups", "none", "a"}},
		{[]Input{{"drop-invalid", "T", "a"}}, Effective{"drop-invalid", "true", "a"}},
		{[]Input{{"native-nftables", "true", "a"}}, Effective{"backend", "nftables", "a"}},
		{[]Input{{"backend", "nftables", "a"}, {"native-nftables", "false", "b"}}, Effective{"backend", "nftables", "a"}},
		{[]Input{{"force-iptables-binary", "iptables-legacy", "a"}}, Effective{"backend", "iptables-legacy", "a"}},
		{[]Input{{"force-iptables-binary", "iptables-legacy", "a"}}, Effective{"force-iptables-binary", "iptables-legacy", "a"}},
	} {
		p, err := Parse(c.inputs, Options{})
		if err != nil {
			t.Errorf("%v: %v", c.inputs, err)
		}
		if given := c.want.Origin == "a" || c.want.Origin == "b"; c.want.Given() != given {
			t.Errorf("%+v is given: %v, want %v", c.want, !given, given)
		}
		if !slices.Contains(p.Settings(), c.want) {
			t.Errorf("%v: got %v, want among them %v", c.inputs, p.Settings(), c.want)
		}
	}
}

func TestOnlyBooleansMayStandWithoutAValue(t *testing.T) {
	for _, s := range Settings() {
		if want := s.Accepts == acceptedBool; s.Bool != want {
			t.Errorf("%s accepts %s: Bool is %v, want %v", s.Flag, s.Accepts, s.Bool, want)
		}
	}
}

func TestAnErrorOfAnyKindRefusesASetting(t *testing.T) {
	var p parser
	p.draft.origins = map[string]Input{}
	p.read(Setting{Flag: "f", Accepts: "x", field: field{read: func(*draft, string) ([]note, error) {
		return nil, errors.New("out of ink")
	}}}, Input{"f", "v", "test"})
	const want = `test: f="v": out of ink (accepted: x)`
	if got := p.problems.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestResolversComeFromTheFileOfTheSettingElseTheCallers(t *testing.T) {
	read := func(path string) (string, error) { return "nameserver " + path, nil }
	dns := Input{"redirect-dns", "true", "test"}
	for _, c := range []struct {
		name   string
		inputs []Input
		opts   Options
		want   string
	}{
		{"the caller's", []Input{dns}, Options{ReadFile: read, ResolvConf: "192.0.2.1"}, "192.0.2.1"},
		{"the setting's", []Input{dns, {"resolv-conf", "192.0.2.2", "test"}}, Options{ReadFile: read, ResolvConf: "192.0.2.1"}, "192.0.2.2"},
		{"none", []Input{dns}, Options{ReadFile: read}, "not known here"},
		{"the setting's, where no file is read", []Input{dns, {"resolv-conf", "192.0.2.2", "test"}}, Options{}, "not known here"},
	} {
		p, err := Parse(c.inputs, c.opts)
		if got := fmt.Sprint(p.Config.DNS.Servers, err); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// Whatever overlaps, a list of ports is the set of what stands in it, and no
// port stands in two of its ranges.
func TestAListOfPortsIsTheSetOfItsItems(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 10))
	t.Logf("-seed %d", *seed)
	for range 500 {
		var want [40]bool
		var items []string
		for range 1 + r.IntN(6) {
			first := 1 + r.IntN(30)
			last := first + r.IntN(9)
			items = append(items, fmt.Sprintf("%d-%d", first, last))
			for p := first; p <= last; p++ {
				want[p] = true
			}
		}
		text := strings.Join(items, ",")
		p, _, err := parsePorts(text)
		if err != nil {
			t.Fatal(err)
		}
		for i, held := range want {
			if p.Contains(iptables.Port(i)) != held {
				t.Fatalf("%q became %s: port %d is in it: %v, want %v", text, p, i, !held, held)
			}
		}
		for i, a := range p.Ranges {
			for _, b := range p.Ranges[i+1:] {
				if overlap(a, b) {
					t.Fatalf("%q became %s, in which %s and %s overlap", text, p, a, b)
				}
			}
		}
	}
}
