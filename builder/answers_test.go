package builder

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// golden compares with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s, line %d:\n got %q\nwant %q\n(go test ./builder -update writes it)", name, i+1, at(g, i), at(w, i))
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(end)"
}

// Every rule says which setting made it: explain and the comments repeat it.
func TestEveryRuleNamesTheSettingThatMadeIt(t *testing.T) {
	rich := []string{
		"istio-service-cidr", "10.0.0.0/8,127.0.0.0/8,2001:db8::/32", "istio-service-exclude-cidr", "10.9.0.0/16,2001:db8:9::/48",
		"istio-local-outbound-ports-exclude", "25", "istio-outbound-ports", "9999", "istio-exclude-interfaces", "net1", "kube-virt-interfaces", "k6t-a",
		"redirect-dns", "true", "capture-all-dns", "true", "drop-invalid", "true", "owner-groups-exclude", "300", "log-rules", "true",
		"exclude-outbound-ports-for-uids", "tcp:80:1000;udp:53:1001", "exclude-inbound-cidrs", "192.0.2.0/24",
	}
	var b strings.Builder
	for _, c := range []struct {
		name string
		c    Config
	}{
		{"classic", classic(t)},
		{"rich", classic(t, rich...)},
		{"rich, TPROXY, a list of inbound ports", classic(t, append(rich, "istio-inbound-interception-mode", "TPROXY", "istio-inbound-ports", "80,90-99")...)},
		{"no inbound ports, listed owner groups, resolvers", classic(t, "istio-inbound-ports", "", "owner-groups", "100,200", "redirect-dns", "true", "dns-servers", "192.0.2.53,fe80::1%eth0")},
		{"TPROXY, no inbound ports", classic(t, "istio-inbound-ports", "", "istio-inbound-interception-mode", "TPROXY")},
		{"all outbound ports", classic(t, "istio-service-cidr", "", "istio-outbound-ports", "*")},
		{"no inbound ports, a virtual machine", classic(t, "istio-inbound-ports", "", "kube-virt-interfaces", "k6t-a")},
		{"TPROXY, an excluded interface", classic(t, "istio-inbound-interception-mode", "TPROXY", "istio-exclude-interfaces", "net1")},
		{"five ports and six", classic(t, "istio-local-exclude-ports", "1,3,5,7,9", "istio-local-outbound-ports-exclude", "1,3,5,7,9,11")},
		{"sixteen ports", classic(t, "istio-local-exclude-ports", "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31")},
		{"many ports", classic(t, "istio-local-exclude-ports", "1,2,4,6,8,10-12,14,16,18,20,22,24,26,28,30,32", "istio-local-outbound-ports-exclude", "1,3,5,7,9,11,13")},
	} {
		for _, f := range iptables.Families() {
			fmt.Fprintf(&b, "# %s, %s\n", c.name, f)
			for _, chain := range Build(c.c, f).Chains {
				for _, r := range chain.Rules {
					fmt.Fprintf(&b, "%-8s%-20s%-34s%s\n", chain.Table, chain.Name, r.Why, r)
				}
			}
		}
	}
	golden(t, "why.txt", b.String())
}

// questions are settings whose answers a person has read, once, in answers.txt.
func questions() [][]string {
	return [][]string{
		{"proxy-uid", "1337,2000-2001, 1337"}, {"proxy-uid", "istio-proxy"}, {"proxy-uid", "nobody-here"}, {"proxy-uid", "5-4"}, {"proxy-uid", "4294967295"},
		{"proxy-uid", "4294967296"}, {"proxy-uid", "-1"}, {"proxy-uid", "1-"}, {"proxy-uid", "_x"}, {"proxy-uid", "Zed"}, {"proxy-uid", "zed"}, {"proxy-uid", ""}, {"proxy-gid", "7"}, {"proxy-gid", "staff"}, {"proxy-uid", "8", "proxy-gid", "9"},
		{"proxy-uid", ","}, {"proxy-gid", ","}, {"proxy-uid", "1:"}, {"owner-groups", ","},
		{"owner-groups", "none"}, {"owner-groups", "*"}, {"owner-groups", "100,200-201"}, {"owner-groups", "staff"}, {"owner-groups-exclude", "staff"}, {"owner-groups-exclude", "1,x y"},
		{"istio-inbound-interception-mode", "tproxy"}, {"istio-inbound-interception-mode", " none "}, {"istio-inbound-interception-mode", "ON"},
		{"istio-inbound-tproxy-mark", "0x539"}, {"istio-inbound-tproxy-mark", "0"}, {"istio-inbound-tproxy-mark", "1338"}, {"istio-inbound-tproxy-mark", "0x"}, {"istio-inbound-tproxy-mark", "+1"},
		{"istio-inbound-tproxy-mark", "-1"}, {"istio-inbound-tproxy-mark", "4294967295"}, {"istio-inbound-tproxy-mark", "4294967296"}, {"istio-inbound-tproxy-mark", "1_000"}, {"istio-inbound-tproxy-mark", " 7 "},
		{"istio-inbound-tproxy-route-table", "252"}, {"istio-inbound-tproxy-route-table", "253"}, {"istio-inbound-tproxy-route-table", "255"}, {"istio-inbound-tproxy-route-table", "256"}, {"istio-inbound-tproxy-route-table", "0"}, {"istio-inbound-tproxy-route-table", "x"},
		{"istio-inbound-ports", "80,80,90-99,95-101,,8080"}, {"istio-inbound-ports", "80,,,90"}, {"istio-inbound-ports", "80,90-99,80-95"}, {"istio-inbound-ports", "x-5,5-x,5-,7-*,1-65536,65536-1"}, {"istio-inbound-ports", "80,,90", "envoy-port", "0"}, {"istio-inbound-ports", "80,*"}, {"istio-inbound-ports", "1:9"}, {"istio-inbound-ports", "0"}, {"istio-inbound-ports", "65535"}, {"istio-inbound-ports", "65536"}, {"istio-inbound-ports", "9-1"}, {"istio-inbound-ports", "http"},
		{"istio-inbound-ports", "15008"}, {"istio-inbound-ports", "15008", "capture-all-dns", "true"}, {"istio-local-exclude-ports", "x"}, {"istio-inbound-ports", "80", "istio-local-exclude-ports", "80"}, {"istio-inbound-ports", "", "istio-local-exclude-ports", "80"}, {"istio-local-exclude-ports", "*"}, {"istio-local-outbound-ports-exclude", "*"},
		{"istio-local-outbound-ports-exclude", "1-100", "istio-outbound-ports", "90-110,200"}, {"istio-outbound-ports", "100-101", "istio-local-outbound-ports-exclude", "101-102"}, {"istio-outbound-ports", "*"},
		{"istio-service-cidr", "10.0.0.1/8, 192.0.2.7,2001:db8::1/32"}, {"istio-service-cidr", "10.0.0.0/8", "istio-service-exclude-cidr", "10.0.0.0/8"}, {"istio-service-cidr", "10.0.0.0/33"}, {"istio-service-cidr", "fe80::1%eth0"}, {"istio-service-cidr", "2001:db8::7"}, {"istio-service-cidr", "::ffff:0.0.0.0/96"}, {"istio-service-cidr", "10.0.0.0/99999999999999999999,10.0.0.0/+8"}, {"exclude-inbound-cidrs", "*"},
		{"istio-service-cidr", "::ffff:10.0.0.0/104"}, {"istio-service-cidr", "::ffff:10.0.0.1"}, {"istio-service-cidr", "::ffff:0.0.0.0/95"}, {"istio-service-cidr", "*,10.0.0.0/8"}, {"istio-service-exclude-cidr", "*"}, {"istio-service-cidr", "x"},
		{"istio-exclude-interfaces", "eth0,net+,eth0"}, {"istio-exclude-interfaces", "+"}, {"istio-exclude-interfaces", "-x"}, {"istio-exclude-interfaces", "a123456789012345"}, {"istio-exclude-interfaces", "a12345678901234"}, {"istio-exclude-interfaces", "a b"}, {"istio-exclude-interfaces", "a.b_c-d@9z"}, {"istio-exclude-interfaces", "aA/"}, {"istio-exclude-interfaces", "a:"}, {"istio-exclude-interfaces", "Zz"}, {"istio-exclude-interfaces", "aA"}, {"istio-exclude-interfaces", "[x"}, {"istio-exclude-interfaces", "a{"}, {"istio-exclude-interfaces", "a`"},
		{"kube-virt-interfaces", "lo"}, {"kube-virt-interfaces", "l+"}, {"kube-virt-interfaces", "k6t+"}, {"kube-virt-interfaces", "-x"},
		{"exclude-outbound-ports-for-uids", "tcp:80,90-99:1000-1001"}, {"exclude-outbound-ports-for-uids", "udp:53:1;tcp:80:2"}, {"exclude-outbound-ports-for-uids", "sctp:1:2"}, {"exclude-outbound-ports-for-uids", "tcp:1"}, {"exclude-outbound-ports-for-uids", "tcp::1"}, {"exclude-outbound-ports-for-uids", "tcp:1:"}, {"exclude-outbound-ports-for-uids", "tcp:x:1"}, {"exclude-outbound-ports-for-uids", "tcp:1:x"}, {"exclude-outbound-ports-for-uids", "tcp:*:1"}, {"exclude-outbound-ports-for-uids", "tcp:1:2:3"}, {"exclude-outbound-ports-for-uids", "TCP:80:1"}, {"exclude-outbound-ports-for-uids", "tcp:80,,90:1; ;udp:53:2,;"}, {"exclude-outbound-ports-for-uids", "tcp:x:y;tcp:z:1"},
		{"redirect-dns", "true"}, {"capture-all-dns", "true"}, {"redirect-dns", "true", "capture-all-dns", "true", "istio-local-outbound-ports-exclude", "53"}, {"redirect-dns", "true", "dns-servers", "192.0.2.53,fe80::1%eth0,192.0.2.53"}, {"redirect-dns", "true", "dns-servers", "x"}, {"redirect-dns", "true", "dns-servers", "fe80::1%-x"},
		{"redirect-dns", "true", "resolv-conf", "good"}, {"redirect-dns", "true", "resolv-conf", "half"}, {"redirect-dns", "true", "resolv-conf", "empty"}, {"redirect-dns", "true", "resolv-conf", "missing"}, {"redirect-dns", "yes"}, {"redirect-dns", " t "},
		{"envoy-port", "15006"}, {"inbound-capture-port", "15053", "redirect-dns", "true", "capture-all-dns", "true"}, {"envoy-port", "15053", "redirect-dns", "true", "capture-all-dns", "true"}, {"envoy-port", "15053"}, {"envoy-port", "15053", "inbound-capture-port", "15053", "redirect-dns", "true", "capture-all-dns", "true"}, {"envoy-port", "0"}, {"envoy-port", "x", "inbound-capture-port", "y"},
		{"dual-stack", "auto"}, {"dual-stack", "false"}, {"dual-stack", "maybe"}, {"native-nftables", "true"}, {"native-nftables", "false"}, {"native-nftables", "x"},
		{"force-iptables-binary", "legacy"}, {"force-iptables-binary", "nft"}, {"force-iptables-binary", "iptables"}, {"force-iptables-binary", "/usr/sbin/iptables-legacy"}, {"force-iptables-binary", "ipfw"}, {"backend", "iptables-nft"}, {"backend", "bpf"}, {"ip-families", "v6"}, {"ip-families", "both"},
		{"loopback-cidr", "127.0.0.0/8"}, {"loopback-cidr", "10.0.0.0/8"}, {"loopback-cidr", "::1/128"}, {"no-such-flag", "1"}, {"proxy-uid", "5", "proxy-uid", "6"},
	}
}

func TestAnswersToSettingsAreThoseThatAPersonHasRead(t *testing.T) {
	opts := Options{
		LookUpUser: func(name string) (uint32, error) {
			return known(name, map[string]uint32{"istio-proxy": 1337, "_x": 4, "Zed": 5, "zed": 6})
		},
		LookUpGroup: func(name string) (uint32, error) { return known(name, map[string]uint32{"staff": 50}) },
		ReadFile: func(path string) (string, error) {
			text, ok := map[string]string{
				"good": "search x\nnameserver 192.0.2.53\n; a\n# b\nnameserver 2001:db8::53 trailing\n", "half": "nameserver\nnameserver x\nnameserver 192.0.2.53\n", "empty": "options ndots:5\n",
			}[path]
			if !ok {
				return "", errors.New("no such file")
			}
			return text, nil
		},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "default: %s\n", strings.Join(fields(Default()), " "))
	for _, q := range questions() {
		var inputs []Input
		for i := 0; i < len(q); i += 2 {
			inputs = append(inputs, Input{q[i], q[i+1], "test"})
		}
		p, err := Parse(inputs, opts)
		fmt.Fprintf(&b, "%q\n", q)
		if err != nil {
			fmt.Fprintf(&b, "\trefused: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n\t\t"))
		}
		for _, w := range p.Warnings {
			fmt.Fprintf(&b, "\twarning: %s\n", w)
		}
		for _, e := range p.Settings() {
			if e.Origin == "test" {
				fmt.Fprintf(&b, "\t%s=%s\n", e.Flag, e.Value)
			}
		}
		if err == nil {
			fmt.Fprintf(&b, "\t%s\n", differing(p.Config))
		}
	}
	golden(t, "answers.txt", b.String())
}

func known(name string, ids map[string]uint32) (uint32, error) {
	if id, ok := ids[name]; ok {
		return id, nil
	}
	return 0, errors.New("unknown")
}

// differing lists the fields of a configuration that are not the default's.
func differing(c Config) string {
	var list []string
	got, base := fields(c), fields(Default())
	for i := range got {
		if got[i] != base[i] {
			list = append(list, got[i])
		}
	}
	return strings.Join(list, " ")
}

func fields(c Config) []string {
	return []string{
		fmt.Sprint("In:", c.InboundPort), fmt.Sprint("Out:", c.OutboundPort), fmt.Sprint("Tunnel:", c.TunnelPort), fmt.Sprint("DNSPort:", c.DNSPort),
		fmt.Sprint("UIDs:", c.ProxyUIDs), fmt.Sprint("GIDs:", c.ProxyGIDs), fmt.Sprint("Mode:", c.Mode), fmt.Sprint("Mark:", c.TProxyMark), fmt.Sprint("Table:", c.TProxyTable),
		fmt.Sprintf("Inbound:%+v", c.Inbound), fmt.Sprint("IncludeOut:", c.IncludeOutboundPorts), fmt.Sprint("ExcludeOut:", c.ExcludeOutboundPorts), fmt.Sprint("Include:", c.IncludeCIDRs), fmt.Sprint("Exclude:", c.ExcludeCIDRs),
		fmt.Sprint("NotIfaces:", c.ExcludeInterfaces), fmt.Sprint("VM:", c.VirtualInterfaces), fmt.Sprint("ForUIDs:", c.ExcludePortsForUIDs), fmt.Sprintf("Groups:%+v", c.OwnerGroups), fmt.Sprint("NotGroups:", c.ExcludeOwnerGroups),
		fmt.Sprint("Loopback:", c.Loopback), fmt.Sprintf("DNS:%+v", c.DNS), fmt.Sprint("Drop:", c.DropInvalid), fmt.Sprint("Backend:", c.Backend), fmt.Sprint("Families:", c.Families), fmt.Sprint("NotIn:", c.ExcludeInboundCIDRs),
	}
}
