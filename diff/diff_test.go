package diff_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/diff"
	"github.com/sluicemesh/sluice/iptables"
)

func names() map[iptables.Port]string {
	return map[iptables.Port]string{15001: "Out", 15006: "In", 15053: "DNS"}
}

func side(rs iptables.Ruleset) diff.Side { return diff.Side{Rules: rs, Names: names()} }

func parse(t *testing.T, text string) iptables.Ruleset {
	t.Helper()
	rs, err := iptables.Parse(iptables.V4, text)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func seed(t *testing.T, name string) iptables.Ruleset {
	t.Helper()
	text, err := os.ReadFile("../testdata/dumps/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// build makes rules of "flag=value" settings, on top of the mesh's defaults.
func build(t *testing.T, f iptables.Family, pairs ...string) iptables.Ruleset {
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
	return builder.Build(parsed.Config, f)
}

func compare(t *testing.T, was, now iptables.Ruleset) []string {
	t.Helper()
	r, err := diff.Compare(side(was), side(now))
	if err != nil {
		t.Fatal(err)
	}
	sentences := []string{}
	for _, d := range r.Differences {
		sentences = append(sentences, d.String())
	}
	return sentences
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestRecordedRulesOf2022DifferInJustTheTwoKnownWays(t *testing.T) {
	theirs, ours := seed(t, "istio-init-2022.v4.restore"), build(t, iptables.V4)
	const (
		tunnel  = "TCP from uid 1337 over lo to its own address, port 15008, from any address but 127.0.0.6"
		gidOnly = "TCP from gid 1337 with any uid but 1337 over lo to its own address, any port but 15008, from any address but 127.0.0.6"
	)
	same(t, compare(t, theirs, ours), gidOnly+": was direct, now In", tunnel+": was In, now direct")
	same(t, compare(t, ours, theirs), tunnel+": was direct, now In", gidOnly+": was In, now direct")
}

func TestForeignRulesOfADumpCountToo(t *testing.T) {
	whole, init := seed(t, "istio-init-2022.v4.rules"), seed(t, "istio-init-2022.v4.restore")
	const others = " arriving by eth0 to 224.0.0.0/4, "
	const from = "from any address but 10.32.0.0/12"
	same(t, compare(t, init, whole),
		"everything but TCP"+others+from+": was direct, now dropped",
		"TCP"+others+"ports 15008, 15020-15021 and 15090, "+from+": was direct, now dropped",
		"TCP"+others+"any port but 15008, 15020-15021 and 15090, "+from+": was In, now dropped",
		"everything"+others+from+", in state ESTABLISHED, INVALID or UNTRACKED: was direct, now dropped",
		"everything"+others+from+", replies: was direct, now dropped")
	same(t, compare(t, init, whole.Own()))
}

func TestChangesOfSettingsReadAsSentences(t *testing.T) {
	const (
		apps  = "TCP from anybody but uid 1337 and gid 1337 leaving "
		away  = apps + "by any interface but lo to any address but 127.0.0.1"
		self  = "TCP from uid 1337 or gid 1337 over lo to its own address, "
		other = ", from any address but 127.0.0.6"
		ports = "any port but 15008, 15020-15021 and 15090"
	)
	for _, c := range []struct {
		name, setting string
		want          []string
	}{
		{"nothing", "envoy-port=15001", nil},
		{"comments", "rule-comments=true", nil},
		{"rules that log", "log-rules=true", nil},
		{"order of ports", "istio-local-exclude-ports=15020,15021,15090,15020", nil},
		{"excluded port", "istio-local-outbound-ports-exclude=3306", []string{away + ", port 3306: was Out, now direct", self + "port 3306" + other + ": was In, now direct"}},
		{"excluded range", "istio-service-exclude-cidr=10.0.0.0/8", []string{apps + "by any interface but lo to 10.0.0.0/8: was Out, now direct"}},
		{"excluded inbound port", "istio-local-exclude-ports=15090,15021,15020,9090", []string{"TCP arriving, port 9090: was In, now direct"}},
		{"listed inbound port", "istio-inbound-ports=8080", []string{"TCP arriving, any port but 8080, 15008, 15020-15021 and 15090: was In, now direct"}},
		{"excluded interfaces", "istio-exclude-interfaces=eth1,net+", []string{
			apps + "by eth1 and net* to any address but 127.0.0.1: was Out, now direct", "TCP arriving by eth1 and net*, " + ports + ": was In, now direct",
		}},
		{"other port of the proxy", "envoy-port=16001", []string{away + ": was Out, now port 16001"}},
		{"owner groups", "owner-groups=100,202", []string{
			"TCP from anybody but uid 1337 and gids 100, 202 and 1337 leaving by any interface but lo to any address but 127.0.0.1: was Out, now direct",
		}},
		{"dropped packets", "drop-invalid=true", []string{
			"everything arriving, in state INVALID: was direct, now dropped", "everything over lo, in state INVALID: was direct, now dropped",
		}},
		{"no interception", "istio-inbound-interception-mode=NONE", []string{
			away + ": was Out, now direct", "TCP arriving, " + ports + ": was In, now direct", self + "any port but 15008" + other + ": was In, now direct",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			same(t, compare(t, build(t, iptables.V4), build(t, iptables.V4, c.setting)), c.want...)
		})
	}
}

func TestRangesWithGapsReadAsSuch(t *testing.T) {
	same(t, compare(t, build(t, iptables.V4, "istio-service-exclude-cidr=10.0.0.0/8"), build(t, iptables.V4, "istio-service-exclude-cidr=10.0.0.0/16")),
		"TCP from anybody but uid 1337 and gid 1337 leaving by any interface but lo to 10.0.0.0/8 but 10.0.0.0/16: was direct, now Out")
}

func TestTransparentModeIsToldByItsConnectionsFirst(t *testing.T) {
	r, err := diff.Compare(side(build(t, iptables.V6)), side(build(t, iptables.V6, "istio-inbound-interception-mode=TPROXY")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range r.Of(diff.Connections) {
		got = append(got, d.String())
	}
	const self = "TCP from uid 1337 or gid 1337 over lo to its own address, "
	same(t, got,
		self+"ports 15020-15021 and 15090, from any address but ::6: was In, now direct",
		"TCP arriving, any port but 15008, 15020-15021 and 15090: was In, now In by TPROXY",
		self+"any port but 15008, 15020-15021 and 15090, from any address but ::6: was In, now In by TPROXY")
	if len(r.Of(diff.Packets)) == 0 || len(r.Of(diff.Marks)) == 0 {
		t.Errorf("got %d differences of other packets and %d of marks, want some of each", len(r.Of(diff.Packets)), len(r.Of(diff.Marks)))
	}
}

func TestRulesForWhatOpensAConnectionAndForTheRestAreToldApart(t *testing.T) {
	rule := func(flags string) iptables.Ruleset {
		return parse(t, "*mangle\n-A PREROUTING -i eth0 -p tcp "+flags+" -j DROP\n")
	}
	same(t, compare(t, rule(""), rule("--syn")), "TCP arriving by eth0, in any state, in mid-stream: was dropped, now direct")
	same(t, compare(t, rule(""), rule("! --syn")),
		"TCP arriving by eth0: was dropped, now direct",
		"TCP arriving by eth0, in state ESTABLISHED, INVALID or UNTRACKED, that opens a connection: was dropped, now direct",
		"TCP arriving by eth0, replies, that opens a connection: was dropped, now direct")
}

func TestConditionsThatAreNotModelledAreNamed(t *testing.T) {
	was := parse(t, "*nat\n-A OUTPUT -p tcp -m time --timestart 10:00 -j REDIRECT --to-ports 15001\n")
	same(t, compare(t, was, was))
	same(t, compare(t, was, parse(t, "*nat\n-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\n")),
		"TCP leaving, where “-m time --timestart 10:00” does not hold: was direct, now Out")
}
