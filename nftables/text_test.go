package nftables

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

func TestTablesOfTheSampleReadAsTheyShould(t *testing.T) {
	v4, v6 := samples(t)
	for layout, file := range map[Layout]string{Inet: "testdata/inet.nft", Split: "testdata/split.nft"} {
		ts, err := Translate(layout, v4, v6)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, []byte(ts.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := ts.String(); got != string(want) {
			t.Errorf("%s: %s", file, firstDifference(got, string(want)))
		}
	}
}

// One rule, as iptables-save has it, and as nft has it.
func TestTablesSpellEachConditionAndTarget(t *testing.T) {
	for _, c := range []struct {
		family    iptables.Family
		rule, nft string
	}{
		{iptables.V4, "-i eth0 ! -o eth+ -j RETURN", `iifname "eth0" oifname != "eth*" return`},
		{iptables.V4, "! -i eth0 -o eth1 -j ACCEPT", `iifname != "eth0" oifname "eth1" accept`},
		{iptables.V4, "! -s 192.0.2.0/25 -d 192.0.2.7/32 -j DROP", "ip saddr != 192.0.2.0/25 ip daddr 192.0.2.7 drop"},
		{iptables.V6, "-s 2001:db8::/32 ! -d 2001:db8::7/128 -j DROP", "ip6 saddr 2001:db8::/32 ip6 daddr != 2001:db8::7 drop"},
		{iptables.V4, "-p icmp -j RETURN", "meta l4proto icmp return"},
		{iptables.V4, "! -p tcp -j RETURN", "meta l4proto != tcp return"},
		{iptables.V4, "-p udp -m udp --sport 53 -j RETURN", "udp sport 53 return"},
		{iptables.V4, "-p tcp -m tcp ! --dport 80:90 -j RETURN", "tcp dport != 80-90 return"},
		{iptables.V4, "-p tcp -m multiport ! --sports 22,80:90 -j RETURN", "tcp sport != { 22, 80-90 } return"},
		{iptables.V4, "-p tcp -m tcp --sport 22 --dport 80 -j RETURN", "tcp sport 22 tcp dport 80 return"},
		{iptables.V4, "-m mark --mark 0x10 -j RETURN", "meta mark 0x00000010 return"},
		{iptables.V4, "-m mark ! --mark 0x10 -j RETURN", "meta mark != 0x00000010 return"},
		{iptables.V4, "-m mark --mark 0x10/0xf0 -j RETURN", "meta mark & 0x000000f0 == 0x00000010 return"},
		{iptables.V4, "-m mark ! --mark 0x10/0xf0 -j RETURN", "meta mark & 0x000000f0 != 0x00000010 return"},
		{iptables.V4, "-m connmark ! --mark 0x10 -j RETURN", "ct mark != 0x00000010 return"},
		{iptables.V4, "-m conntrack --ctstate UNTRACKED,NEW,INVALID,RELATED -j RETURN", "ct state invalid,related,new,untracked return"},
		{iptables.V4, "-m conntrack ! --ctstate ESTABLISHED -j RETURN", "ct state ! established return"},
		{iptables.V4, "-m conntrack --ctdir ORIGINAL -j RETURN", "ct direction original return"},
		{iptables.V4, "-m conntrack --ctdir REPLY -j RETURN", "ct direction reply return"},
		{iptables.V4, "-m owner --uid-owner 7 -m owner --gid-owner 8-9 -j RETURN", "meta skuid 7 meta skgid 8-9 return"},
		{iptables.V4, "-m socket --transparent -j RETURN", "socket transparent 1 socket wildcard 0 return"},
		{iptables.V4, "-m socket --transparent --nowildcard -j RETURN", "socket transparent 1 return"},
		{iptables.V4, "-p udp -j REDIRECT --to-ports 15053", "meta l4proto udp redirect to :15053"},
		{iptables.V4, "-p tcp -j TPROXY --on-port 1 --on-ip 127.0.0.1 --tproxy-mark 0x1/0xffffffff", "meta l4proto tcp tproxy ip to 127.0.0.1:1 meta mark set 0x00000001 accept"},
		{iptables.V6, "-p tcp -j TPROXY --on-port 1 --on-ip :: --tproxy-mark 0x1/0xf", "meta l4proto tcp tproxy ip6 to :1 meta mark set meta mark & 0xfffffff0 ^ 0x00000001 accept"},
		{iptables.V4, "-j MARK --set-xmark 0x10/0xf0", "meta mark set meta mark & 0xffffff0f ^ 0x00000010"},
		{iptables.V4, "-j CONNMARK --save-mark --nfmask 0xf --ctmask 0xffffffff", "ct mark set meta mark & 0x0000000f"},
		{iptables.V4, "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xf", "meta mark set ct mark & 0x0000000f"},
		{iptables.V4, "-j CT --zone 2", "ct zone set 2"},
		{iptables.V4, `-j LOG --log-prefix "seen "`, `log prefix "seen "`},
		{iptables.V4, `-m comment --comment "why so" -j RETURN`, `return comment "why so"`},
		{iptables.V4, "-g OTHER", "goto nat-OTHER"},
		{iptables.V4, "-j OTHER", "jump nat-OTHER"},
		{iptables.V4, "", ""},
		// The conditions stand in one order.
		{iptables.V4, "-m owner --gid-owner 1 -m connmark --mark 0x2 -m conntrack --ctstate NEW -m mark --mark 0x1 -p tcp -m tcp --dport 1 -d 192.0.2.1/32 -s 192.0.2.2/32 -o b -i a -j RETURN",
			`iifname "a" oifname "b" ip saddr 192.0.2.2 ip daddr 192.0.2.1 tcp dport 1 meta mark 0x00000001 ct state new ct mark 0x00000002 meta skgid 1 return`},
	} {
		rs := parsed(t, c.family, "*nat\n:OTHER - [0:0]\n-A OTHER -j RETURN\n-A OUTPUT "+c.rule+"\nCOMMIT\n")
		v4, v6 := rs, iptables.Ruleset{}
		if c.family == iptables.V6 {
			v4, v6 = v6, v4
		}
		ts, err := Translate(Split, v4, v6)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		out, _ := ts[0].Chain("nat-OUTPUT")
		r := out.Rules[0]
		r.Only = c.family // as it stands in an inet table
		want := c.nft
		if !hasAddress(r.Match) {
			want = strings.TrimSpace(map[iptables.Family]string{iptables.V4: "meta nfproto ipv4 ", iptables.V6: "meta nfproto ipv6 "}[c.family] + want)
		}
		if got := r.String(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.rule, got, want)
		}
	}
}

// Rules that Translate does not make, but somebody may have written.
func TestTablesSpellWhatOthersWrote(t *testing.T) {
	port := iptables.ToPort(iptables.OnePort(80))
	for _, c := range []struct {
		matches []iptables.Match
		want    string
	}{
		{[]iptables.Match{iptables.Protocol{Number: iptables.ProtoUDP, Not: true}, iptables.TCP(), port}, "meta l4proto != udp tcp dport 80 drop"},
		{[]iptables.Match{iptables.Opaque{Words: []string{"meta", "cpu", "0"}}}, "(meta cpu 0) drop"},
	} {
		r := Rule{Rule: iptables.Rule{Match: c.matches, Target: iptables.Drop()}}
		if got := r.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestTablesWithoutRulesHookOrCounters(t *testing.T) {
	drop := Rule{Rule: iptables.Rule{Target: iptables.Drop()}, Counted: true}
	inet := Table{Chains: []Chain{{Name: "a", Hook: Hook{Type: "filter", Name: "input", Priority: -5, Drop: true}}, {Name: "b", Rules: []Rule{drop, drop}}}}
	const want = "table inet sluice {\n\tchain a {\n\t\ttype filter hook input priority -5; policy drop;\n\t}\n\n\tchain b {\n\t\tcounter drop\n\t\tcounter drop\n\t}\n}\n"
	if got := (Tables{inet}).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	const two = "table ip sluice {\n}\n\ntable ip6 sluice {\n}\n"
	if got := (Tables{{Only: iptables.V4}, {Only: iptables.V6}}).String(); got != two {
		t.Errorf("got\n%s\nwant\n%s", got, two)
	}
}

// The hooks of netfilter, their numbers and priorities, as the kernel's headers have them.
func TestTablesHangWhereIptablesHangs(t *testing.T) {
	numbers := []string{"prerouting", "input", "forward", "output", "postrouting"}
	priorities := map[iptables.Table]int32{iptables.Raw: -300, iptables.Mangle: -150, iptables.Nat: -100, iptables.Filter: 0}
	for table, priority := range priorities {
		for _, chain := range table.Builtins() {
			want := Hook{Type: "filter", Name: strings.ToLower(chain), Number: uint32(slices.Index(numbers, strings.ToLower(chain))), Priority: priority}
			switch {
			case table == iptables.Mangle && chain == iptables.Output:
				want.Type = "route"
			case table == iptables.Nat:
				want.Type = "nat"
				if chain == iptables.Input || chain == iptables.Postrouting { // source NAT
					want.Priority = 100
				}
			}
			if got := hookOf(table, chain); got != want {
				t.Errorf("%s %s: got %+v, want %+v", table, chain, got, want)
			}
		}
	}
	for _, other := range []Hook{hookOf(iptables.Nat, "ISTIO_OUTPUT"), hookOf(iptables.Raw, iptables.Input), hookOf("other", iptables.Input)} {
		if other != (Hook{}) {
			t.Errorf("got %+v, want none", other)
		}
	}
	if got := hookOf(iptables.Nat, iptables.Output).Drop; got {
		t.Error("a chain of ours drops what no rule decides")
	}
}

func TestTablesNameNoTableForAStrangersChain(t *testing.T) {
	for name, want := range map[string]string{"nat-OUTPUT": "nat OUTPUT", "nat-A-B": "nat A-B", "strange": " strange"} {
		table, chain := splitName(name)
		if got := fmt.Sprintf("%s %s", table, chain); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestTablesWriteRangesOfAddressesAsShortAsPossible(t *testing.T) {
	prefixes := func(words ...string) (list []netip.Prefix) {
		for _, w := range words {
			list = append(list, netip.MustParsePrefix(w))
		}
		return list
	}
	for _, c := range []struct {
		list []netip.Prefix
		want string
	}{
		{prefixes("192.0.2.0/25"), "ip saddr 192.0.2.0/25"},
		{prefixes("192.0.2.0/25", "192.0.2.128/25"), "ip saddr 192.0.2.0/24"},
		{prefixes("192.0.2.0/25", "192.0.2.128/26"), "ip saddr 192.0.2.0-192.0.2.191"},
		{prefixes("192.0.2.0/25", "198.51.100.0/32"), "ip saddr { 192.0.2.0/25, 198.51.100.0 }"},
		{prefixes("2001:db8::/33", "2001:db9::/32"), "ip6 saddr { 2001:db8::/33, 2001:db9::/32 }"},
	} {
		m, reason := addresses(iptables.SrcSide, false, c.list...)
		if got := matchText(m, nil); got != c.want || reason != "" {
			t.Errorf("%s: got %s %s, want %s", c.list, got, reason, c.want)
		}
	}
}
