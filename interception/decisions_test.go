package interception

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/nftables"
)

func TestAFamilyIsLeftOutOnlyWhereNothingOfItCanPassOrOnRequest(t *testing.T) {
	reach, local := []string{"2001:db8::1/64"}, []string{"fe80::1/64", "::1/128"}
	for _, c := range []struct {
		choice builder.FamilyChoice
		facts  netns.Facts
		want   string // families, and what the remark says
	}{
		{builder.FamiliesAuto, facts(netns.IPv6Enabled, reach...), "IPv4 IPv6"},
		{builder.FamiliesAuto, facts(netns.IPv6Enabled, local...), "IPv4 IPv6"},
		{builder.FamiliesAuto, facts(netns.IPv6Enabled), "IPv4 IPv6"},
		{builder.FamiliesAuto, facts(netns.IPv6Absent), "IPv4 IPv6 is not programmed: absent in the kernel"},
		{builder.FamiliesAuto, netns.Facts{IPv6: netns.IPv6Disabled, IPv6Off: []string{"all", "lo"}}, "IPv4 IPv6 is not programmed: disabled by sysctl (net.ipv6.conf.{all,lo}.disable_ipv6 = 1)"},
		{builder.FamiliesV4, facts(netns.IPv6Enabled, reach...), "IPv4 IPv6 is left alone because ip-families is v4, but this namespace has IPv6: it bypasses the proxy"},
		{builder.FamiliesV4, facts(netns.IPv6Enabled, local...), "IPv4"},
		{builder.FamiliesV4, facts(netns.IPv6Disabled, reach...), "IPv4"},
		{builder.FamiliesV6, facts(netns.IPv6Enabled), "IPv6"},
		{builder.FamiliesDual, facts(netns.IPv6Enabled), "IPv4 IPv6"},
		{builder.FamiliesDual, facts(netns.IPv6Absent), "IPv6 is absent in the kernel"},
		{builder.FamiliesV6, netns.Facts{IPv6: netns.IPv6Disabled, IPv6Off: []string{"all"}}, "IPv6 is disabled by sysctl (net.ipv6.conf.{all}.disable_ipv6 = 1)"},
	} {
		families, remarks, err := Families(c.choice, c.facts)
		var words []string
		for _, f := range families {
			words = append(words, f.String())
		}
		for _, r := range remarks {
			words = append(words, string(r))
		}
		got := strings.Join(words, " ")
		if err != nil {
			got = err.Error()
			if KindOf(err) != Unavailable || len(families)+len(remarks) > 0 {
				t.Errorf("%s: got %v, %q and an error of kind %d", c.choice, families, remarks, KindOf(err))
			}
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s of %+v: got %q, want %q", c.choice, c.facts, got, c.want)
		}
	}
}

func TestABackendWithoutIPv6IsAnErrorWhereIPv6LeadsAnywhere(t *testing.T) {
	reach, local := facts(netns.IPv6Enabled, "2001:db8::1/64"), facts(netns.IPv6Enabled, "fe80::1/64")
	for _, c := range []struct {
		choice builder.FamilyChoice
		facts  netns.Facts
		fails  bool
	}{
		{builder.FamiliesAuto, local, false},
		{builder.FamiliesAuto, reach, true},
		{builder.FamiliesAuto, netns.Facts{IPv6: netns.IPv6Enabled, IPv6Default: true}, true},
		{builder.FamiliesDual, local, true},
		{builder.FamiliesV6, local, true},
	} {
		remark, err := withoutIPv6(c.choice, c.facts, "no ip6tables")
		if (err != nil) != c.fails || (remark == "") != c.fails {
			t.Errorf("%s: got %q and %v, want an error: %t", c.choice, remark, err, c.fails)
		}
		if err != nil && (KindOf(err) != Unavailable || !strings.Contains(err.Error(), "no ip6tables; install ip6tables")) {
			t.Errorf("%s: got %v of kind %d", c.choice, err, KindOf(err))
		}
		if err == nil && !strings.Contains(string(remark), "no ip6tables") {
			t.Errorf("%s: got %q", c.choice, remark)
		}
	}
}

func TestEveryErrorHasTheKindThatSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{errors.New("x"), Failed},
		{nil, Failed},
		{&Error{Kind: Busy}, Busy},
		{&Error{Kind: Refused, Err: fs.ErrPermission}, Refused},
		{&netns.HostError{}, Refused},
		{fs.ErrPermission, Forbidden},
		{&nftables.Error{Missing: "nf_tables", Err: fs.ErrPermission}, Unavailable},
		{&nftables.Error{Err: fs.ErrPermission}, Forbidden},
		{&nftables.Error{}, Failed},
		{&xtables.Error{Kind: xtables.Capability}, Forbidden},
		{&xtables.Error{Kind: xtables.Busy}, Busy},
		{&xtables.Error{Kind: xtables.Unusable}, Unavailable},
		{&xtables.Error{Kind: xtables.Failed}, Failed},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%#v: got kind %d, want %d", c.err, got, c.want)
		}
		if c.err != nil {
			if got := KindOf(fmt.Errorf("within: %w", c.err)); got != c.want {
				t.Errorf("%#v, wrapped: got kind %d, want %d", c.err, got, c.want)
			}
		}
	}
}

func TestAnErrorIsOneLineOfWhatThereIs(t *testing.T) {
	cause := errors.New("the cause")
	for want, e := range map[string]*Error{
		"do it":                                {Op: "do it"},
		"do it: words":                         {Op: "do it", Words: "words"},
		"do it: the cause; a hint":             {Op: "do it", Err: cause, Hint: "a hint"},
		"do it: words: the cause; take a rest": {Op: "do it", Words: "words", Err: cause, Hint: "take a rest"},
	} {
		if got := e.Error(); got != want || errors.Is(e, cause) != (e.Err != nil) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAWishHasEveryFamilyAndTheirPlumbing(t *testing.T) {
	tproxy := config(t, "istio-inbound-interception-mode=TPROXY", "istio-inbound-tproxy-mark=7", "istio-inbound-tproxy-route-table=9")
	for _, c := range []struct {
		name     string
		config   builder.Config
		families []iptables.Family
		rules    string   // the families with rules
		plumbing []string // commands
	}{
		{"redirect", config(t), iptables.Families(), "IPv4 IPv6", []string{"ip -6 addr add ::6/128 dev lo nodad"}},
		{"redirect of IPv4", config(t), []iptables.Family{iptables.V4}, "IPv4", nil},
		{"tproxy of IPv4", tproxy, []iptables.Family{iptables.V4}, "IPv4", []string{
			"ip -4 route add local 0.0.0.0/0 dev lo table 9 protocol 201", "ip -4 rule add fwmark 0x7 lookup 9 protocol 201"}},
		{"tproxy of IPv6", tproxy, []iptables.Family{iptables.V6}, "IPv6", []string{"ip -6 addr add ::6/128 dev lo nodad",
			"ip -6 route add local ::/0 dev lo table 9 protocol 201", "ip -6 rule add fwmark 0x7 lookup 9 protocol 201"}},
		{"none", config(t, "istio-inbound-interception-mode=NONE"), iptables.Families(), "", nil},
	} {
		w := WantOf(c.config, c.families...)
		var with []string
		for i, rs := range w.Rules {
			if rs.Family != iptables.Families()[i] {
				t.Errorf("%s: rule set %d is of %s", c.name, i, rs.Family)
			}
			if !rs.Empty() {
				with = append(with, rs.Family.String())
			}
		}
		if got := strings.Join(with, " "); got != c.rules || len(w.Rules) != 2 {
			t.Errorf("%s: got rules of %q in %d sets, want of %q in 2", c.name, got, len(w.Rules), c.rules)
		}
		if got := strings.Join(w.Plumbing.Commands(), "\n"); got != strings.Join(c.plumbing, "\n") {
			t.Errorf("%s: got plumbing\n%s\nwant\n%s", c.name, got, strings.Join(c.plumbing, "\n"))
		}
	}
}

func TestSetsAreAskedFromTheLengthOnThatIsMeasured(t *testing.T) {
	cidrs := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("198.18.%d.0/25", i))
		}
		return "istio-service-exclude-cidr=" + strings.Join(list, ",")
	}
	ports := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprint(20001+2*i))
		}
		return strings.Join(list, ",")
	}
	for _, c := range []struct {
		setting string
		want    bool
	}{
		{cidrs(62), false}, {cidrs(63), true}, // the loopback range is a neighbour
		{"istio-local-outbound-ports-exclude=" + ports(7*15), false}, {"istio-local-outbound-ports-exclude=" + ports(7*15+1), true},
		{"exclude-outbound-ports-for-uids=tcp:" + ports(600) + ":1000", true},
	} {
		if got := WantOf(config(t, c.setting), iptables.V4).AsksSets(); got != c.want {
			t.Errorf("%.60s…: got %t, want %t", c.setting, got, c.want)
		}
	}
}
