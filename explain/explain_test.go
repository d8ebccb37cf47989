package explain_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/ipset"
)

// settings is a subject built from "flag=value" settings.
func settings(t *testing.T, pairs ...string) explain.Subject {
	t.Helper()
	var inputs []builder.Input
	for _, p := range append([]string{"istio-inbound-ports=*", "istio-service-cidr=*", "istio-local-exclude-ports=15090,15021,15020"}, pairs...) {
		flag, value, _ := strings.Cut(p, "=")
		inputs = append(inputs, builder.Input{Flag: flag, Value: value, Origin: "test"})
	}
	parsed, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := explain.Subject{Config: &parsed.Config, Origin: "settings"}
	for _, f := range iptables.Families() {
		s.Rules = append(s.Rules, builder.Build(parsed.Config, f))
	}
	return s
}

func dump(t *testing.T, text string) explain.Subject {
	t.Helper()
	rs, err := iptables.Parse(iptables.V4, text)
	if err != nil {
		t.Fatal(err)
	}
	return explain.Subject{Rules: []iptables.Ruleset{rs}, Origin: "dump"}
}

func seedDump(t *testing.T) explain.Subject {
	t.Helper()
	text, err := os.ReadFile("../testdata/dumps/istio-init-2022.v4.rules")
	if err != nil {
		t.Fatal(err)
	}
	return dump(t, string(text))
}

func ask(t *testing.T, s explain.Subject, a explain.Asked) explain.Answer {
	t.Helper()
	q, err := a.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return explain.Ask(s, q)[0]
}

func TestWhatAVirtualMachineOpensIsNoConnectionToThePod(t *testing.T) {
	virtual := settings(t, "kube-virt-interfaces=k6t-eth0", "istio-service-cidr=10.0.0.0/8")
	for iface, want := range map[string][2]string{
		"k6t-eth0": {"TCP from a virtual machine inside the pod", "Not captured: the connection goes straight to 192.0.2.80:22."},
		"eth0":     {"TCP from a client outside", "Captured: the connection goes to the proxy's inbound port 15006."},
	} {
		a := ask(t, virtual, explain.Asked{In: true, To: "192.0.2.80:22", Interface: iface})
		if !strings.HasPrefix(a.Connection, want[0]) || a.Verdict != want[1] {
			t.Errorf("by %s: got %q and %q, want %q… and %q", iface, a.Connection, a.Verdict, want[0], want[1])
		}
	}
}

func TestAnswersNameThePortTheDecidingSettingAndNothingElse(t *testing.T) {
	redirect, tproxy := settings(t), settings(t, "istio-inbound-interception-mode=TPROXY")
	excluding := settings(t, "istio-service-exclude-cidr=10.0.0.0/8", "istio-local-outbound-ports-exclude=3306", "redirect-dns=true", "capture-all-dns=true")
	listed := settings(t, "istio-service-cidr=10.0.0.0/8", "istio-inbound-ports=8080", "owner-groups=100")
	virtual := settings(t, "kube-virt-interfaces=k6t-eth0")
	seed := seedDump(t)
	for _, c := range []struct {
		name    string
		subject explain.Subject
		ask     explain.Asked
		want    string // fate port role setting
	}{
		{"application out", redirect, explain.Asked{To: "192.0.2.80:80"}, "redirected 15001 Out istio-service-cidr"},
		{"application out, IPv6", redirect, explain.Asked{To: "[2001:db8::80]:80"}, "redirected 15001 Out istio-service-cidr"},
		{"proxy out", redirect, explain.Asked{From: "proxy", To: "192.0.2.80:80"}, "direct 0  proxy-uid"},
		{"somebody with the proxy's gid", redirect, explain.Asked{From: "uid:5,gid:1337", To: "192.0.2.80:80"}, "direct 0  proxy-gid"},
		{"client in", redirect, explain.Asked{In: true, To: ":8080"}, "redirected 15006 In istio-inbound-ports"},
		{"client in to the health port", redirect, explain.Asked{In: true, To: ":15021"}, "direct 0  istio-local-exclude-ports"},
		{"client in to the tunnel", redirect, explain.Asked{In: true, To: ":15008"}, "direct 0  inbound-tunnel-port"},
		{"proxy calls itself", redirect, explain.Asked{From: "proxy", To: ":8080"}, "redirected 15006 In proxy-uid"},
		{"proxy hands a request over", redirect, explain.Asked{From: "proxy", To: ":8080", Source: "127.0.0.6"}, "direct 0  the proxy's own source address"},
		{"application to itself", redirect, explain.Asked{To: "127.0.0.1:8080"}, "direct 0  the application talking to itself"},
		{"application to its own address", redirect, explain.Asked{To: "192.0.2.5:8080", PodIPs: []string{"192.0.2.5"}}, "direct 0  the application talking to itself"},
		{"excluded range", excluding, explain.Asked{To: "10.1.2.3:443"}, "direct 0  istio-service-exclude-cidr"},
		{"excluded port", excluding, explain.Asked{To: "192.0.2.80:3306"}, "direct 0  istio-local-outbound-ports-exclude"},
		{"query", excluding, explain.Asked{To: "192.0.2.53:53/udp"}, "redirected 15053 DNS redirect-dns"},
		{"query of the agent", excluding, explain.Asked{From: "proxy", To: "192.0.2.53:53/udp"}, "direct 0  proxy-uid"},
		{"UDP", redirect, explain.Asked{To: "192.0.2.80:443/udp"}, "direct 0  "},
		{"address that is not included", listed, explain.Asked{From: "uid:7,gid:100", To: "192.0.2.80:443"}, "direct 0  "},
		{"group that is not listed", listed, explain.Asked{To: "10.0.0.1:443"}, "direct 0  owner-groups"},
		{"port that is not included", listed, explain.Asked{In: true, To: ":9090"}, "direct 0  "},
		{"virtual machine", virtual, explain.Asked{In: true, To: "192.0.2.80:80", Interface: "k6t-eth0"}, "redirected 15001 Out istio-service-cidr"},
		{"client in, TPROXY", tproxy, explain.Asked{In: true, To: ":8080"}, "tproxied 15006 In istio-inbound-ports"},
		{"proxy calls itself, TPROXY", tproxy, explain.Asked{From: "proxy", To: ":8080"}, "tproxied 15006 In istio-inbound-ports"},
		{"proxy calls its own health port, TPROXY", tproxy, explain.Asked{From: "proxy", To: ":15021"}, "direct 0  istio-local-exclude-ports"},
		{"another tool's rules, out", seed, explain.Asked{To: "192.0.2.80:80"}, "redirected 15001 Out istio-service-cidr"},
		{"another tool's rules, in", seed, explain.Asked{In: true, To: ":8080"}, "redirected 15006 In istio-inbound-ports"},
		{"another tool's rules, tunnel called by the proxy", seed, explain.Asked{From: "uid:1337", To: ":15008"}, "redirected 15006 In proxy-uid"},
		{"another tool's rules, proxy by gid only", seed, explain.Asked{From: "uid:0,gid:1337", To: ":8080"}, "direct 0  the application talking to itself"},
		{"another tool's rules, health port", seed, explain.Asked{In: true, To: ":15021"}, "direct 0  istio-local-exclude-ports"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask(t, c.subject, c.ask)
			if len(a.Ways) != 1 {
				t.Fatalf("got %d ways, want 1", len(a.Ways))
			}
			w := a.Ways[0]
			if got := fmt.Sprint(w.Fate, " ", w.Port, " ", w.Role, " ", w.Setting); got != c.want {
				t.Errorf("got %q, want %q\n%s", got, c.want, a.Text(0))
			}
			if strings.ContainsAny(a.Text(12), "{}") {
				t.Errorf("a name is left unfilled:\n%s", a.Text(12))
			}
		})
	}
}

func TestEverySettingThatDecidesHasAdvice(t *testing.T) {
	s := settings(t, "istio-exclude-interfaces=eth1", "owner-groups-exclude=300", "drop-invalid=true",
		"exclude-outbound-ports-for-uids=tcp:80:1000", "exclude-inbound-cidrs=203.0.113.0/24", "istio-outbound-ports=81", "kube-virt-interfaces=k6t0",
		"redirect-dns=true", "capture-all-dns=true", "istio-service-exclude-cidr=10.0.0.0/8", "istio-local-outbound-ports-exclude=22")
	for _, a := range []explain.Asked{
		{To: "192.0.2.80:80", Interface: "eth1"},
		{From: "uid:5,gid:300", To: "192.0.2.80:80"},
		{From: "uid:1000", To: "192.0.2.80:80"},
		{In: true, To: ":80", Source: "203.0.113.9"},
		{In: true, To: ":80", Interface: "eth1"},
		{To: "192.0.2.80:22"},
		{To: "192.0.2.80:53"},
		{From: "proxy", To: "192.0.2.80:80"},
	} {
		if w := ask(t, s, a).Ways[0]; w.Change == "" || w.Setting == "" {
			t.Errorf("%+v: got setting %q and change %q, want both", a, w.Setting, w.Change)
		}
	}
}

func TestUnmodelledConditionsAreNamedAndBothEndsShown(t *testing.T) {
	s := dump(t, "*nat\n:OUTPUT ACCEPT\n-A OUTPUT -p tcp -m time --timestart 10:00 -j REDIRECT --to-ports 15001\n")
	a := ask(t, s, explain.Asked{To: "192.0.2.80:80"})
	if len(a.Ways) != 2 || a.Ways[0].Fate != explain.Redirected || a.Ways[1].Fate != explain.Direct {
		t.Fatalf("got %+v, want a way to port 15001 and one left alone", a.Ways)
	}
	if !strings.Contains(a.Verdict, "-m time --timestart 10:00") {
		t.Errorf("the condition is not named in %q", a.Verdict)
	}
}

// Of a set whose elements are known nothing is supposed.
func TestASetIsSupposedOnlyWhereItIsNotKnown(t *testing.T) {
	for rule, want := range map[string]struct{ known, unknown string }{
		"-m set --match-set S dst":   {"to 192.0.2.80, not in the set S", "supposed not to be in the set S"},
		"-m set ! --match-set T dst": {"to 192.0.2.80, which is in the set T", "supposed to be in the set T"},
		"-m set --match-set S src":   {"from 192.0.2.9, not in the set S", "supposed not to be in the set S"},
		"-m set ! --match-set T src": {"from 192.0.2.9, which is in the set T", "supposed to be in the set T"},
	} {
		s := dump(t, "*nat\n:OUTPUT ACCEPT\n-A OUTPUT -p tcp "+rule+" -j REDIRECT --to-ports 15001\n")
		asked := explain.Asked{To: "192.0.2.80:80", Source: "192.0.2.9"}
		if got := text(ask(t, s, asked)); !strings.Contains(got, want.unknown) {
			t.Errorf("%s, of a set that is not known: got\n%s\nwant it to say %q", rule, got, want.unknown)
		}
		s.Rules[0] = ipset.Fill(s.Rules[0], []ipset.Set{
			{Name: "S", Elements: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
			{Name: "T", Elements: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		})
		if got := text(ask(t, s, asked)); !strings.Contains(got, want.known) || strings.Contains(got, "suppos") {
			t.Errorf("%s, of a set that is known: got\n%s\nwant it to say %q and to suppose nothing", rule, got, want.known)
		}
	}
}

func text(a explain.Answer) string { return a.Text(2) }

func TestFamilyWithoutRulesIsNotGuessed(t *testing.T) {
	a := ask(t, seedDump(t), explain.Asked{To: "[2001:db8::1]:80"})
	if !strings.HasPrefix(a.Verdict, "Not known") {
		t.Errorf("got %q, want that nothing is known of IPv6", a.Verdict)
	}
}

func TestLaterDropIsFound(t *testing.T) {
	s := seedDump(t)
	drop, err := iptables.ParseRule("-i lo -p tcp -m tcp --dport 15001 -j DROP")
	if err != nil {
		t.Fatal(err)
	}
	s.Rules[0].Append(iptables.Filter, iptables.Input, drop)
	w := ask(t, s, explain.Asked{To: "192.0.2.80:80"}).Ways[0]
	if w.Fate != explain.Dropped || !strings.Contains(w.Verdict, "captured to port 15001 first") || w.Deciding < 0 {
		t.Errorf("got %s: %s", w.Fate, w.Verdict)
	}
}

// A question is about the packet that opens a connection.
func TestRulesForLaterPacketsAreSaidNotToApply(t *testing.T) {
	s := dump(t, "*mangle\n-A PREROUTING -p tcp ! --syn -j DROP\n-A PREROUTING -p tcp --syn -m mark --mark 0x5 -j DROP\n")
	got := ask(t, s, explain.Asked{In: true, To: ":80"}).Text(2)
	if want := "opens a connection"; !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant it to say %q", got, want)
	}
}

func TestQuestionsThatCannotBeAskedAreRefused(t *testing.T) {
	for _, a := range []explain.Asked{
		{},
		{To: "example.com:80"},
		{To: "192.0.2.1"},
		{To: "192.0.2.1:0"},
		{To: "192.0.2.1:80/icmp"},
		{To: ":80", From: "nobody"},
		{To: ":80", From: "uid:x"},
		{To: ":80", From: "app", In: true},
		{To: ":80", In: true, Interface: "lo"},
		{To: "192.0.2.1:80", Source: "::1"},
		{To: ":80", PodIPs: []string{"x"}},
	} {
		if _, err := a.Parse(); err == nil {
			t.Errorf("%+v: got no error", a)
		}
	}
}
