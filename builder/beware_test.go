package builder

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// warned are the warnings about settings given as flag and value in turn.
func warned(t *testing.T, pairs ...string) []string {
	t.Helper()
	var inputs []Input
	for i := 0; i < len(pairs); i += 2 {
		inputs = append(inputs, Input{pairs[i], pairs[i+1], "--" + pairs[i]})
	}
	p, err := Parse(inputs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, w := range p.Warnings {
		texts = append(texts, w.String())
	}
	return texts
}

func TestSettingsThatSpeakOfTheSameAreWarnedOf(t *testing.T) {
	for _, c := range []struct {
		given []string
		want  []string
	}{
		{[]string{"istio-outbound-ports", "80,443,8000-8010", "istio-local-outbound-ports-exclude", "8010,443,1-79,81"}, []string{
			"--istio-outbound-ports: port 443 is excluded too (443): the exclusion wins",
			"--istio-outbound-ports: port 8000:8010 is excluded too (8010): the exclusion wins",
		}},
		{[]string{"istio-outbound-ports", "1,3,5,7,9", "istio-local-outbound-ports-exclude", "1-10"}, []string{
			"--istio-outbound-ports: port 1 is excluded too (1:10): the exclusion wins",
			"--istio-outbound-ports: port 3 is excluded too (1:10): the exclusion wins",
			"--istio-outbound-ports: port 5 is excluded too (1:10): the exclusion wins",
			"--istio-outbound-ports: 2 more like these",
		}},
		{[]string{"istio-outbound-ports", "1-10,20", "istio-local-outbound-ports-exclude", "2,4,20-30"}, []string{
			"--istio-outbound-ports: port 1:10 is excluded too (2): the exclusion wins",
			"--istio-outbound-ports: port 1:10 is excluded too (4): the exclusion wins",
			"--istio-outbound-ports: port 20 is excluded too (20:30): the exclusion wins",
		}},
		{[]string{"istio-service-cidr", "10.1.0.0/16,192.0.2.0/24,2001:db8::/32", "istio-service-exclude-cidr", "10.0.0.0/8,192.0.2.0/25,2001:db8::/32"}, []string{
			"--istio-service-cidr: 10.1.0.0/16 is excluded too (10.0.0.0/8): the exclusion wins",
			"--istio-service-cidr: 2001:db8::/32 is excluded too (2001:db8::/32): the exclusion wins",
		}},
		{[]string{"istio-service-cidr", "*", "istio-service-exclude-cidr", "0.0.0.0/0"}, []string{"--istio-service-cidr: 0.0.0.0/0 is excluded too (0.0.0.0/0): the exclusion wins"}},
		{[]string{"istio-service-cidr", "*", "istio-service-exclude-cidr", "::/0"}, []string{"--istio-service-cidr: ::/0 is excluded too (::/0): the exclusion wins"}},
		{[]string{"istio-service-cidr", "*", "istio-service-exclude-cidr", "10.0.0.0/8"}, nil},
		{[]string{"kube-virt-interfaces", "net1,tap0", "istio-exclude-interfaces", "net+,eth0"}, []string{"--kube-virt-interfaces: net1 is excluded too (net+): the exclusion wins"}},
		{[]string{"kube-virt-interfaces", "net+", "istio-exclude-interfaces", "net+"}, []string{"--kube-virt-interfaces: net+ is excluded too (net+): the exclusion wins"}},
		{[]string{"owner-groups", "1,5-9,20", "owner-groups-exclude", "2-5,9-10,21"}, []string{
			"--owner-groups: group 5-9 is excluded too (2-5): the exclusion wins",
			"--owner-groups: group 5-9 is excluded too (9-10): the exclusion wins",
		}},
		{[]string{"owner-groups", "1,20", "owner-groups-exclude", "2-19"}, nil},
		{[]string{"proxy-uid", "1337,7", "exclude-outbound-ports-for-uids", "tcp:80:5-9;udp:53:8"}, []string{
			"--exclude-outbound-ports-for-uids: tcp:80:5-9: uid 7 is the proxy, for which there are no exclusions",
		}},
		{[]string{"redirect-dns", "true", "dns-servers", "2001:db8::53", "ip-families", "v4"}, []string{
			"--redirect-dns: no resolver is of a family that is programmed, so no DNS query is captured",
		}},
		{[]string{"redirect-dns", "true", "dns-servers", "2001:db8::53"}, nil},
		{[]string{"redirect-dns", "true", "dns-servers", "192.0.2.53", "ip-families", "v4"}, nil},
		{[]string{"redirect-dns", "true", "capture-all-dns", "true", "ip-families", "v6"}, nil},
		{[]string{"backend", "iptables-legacy", "native-nftables", "true"}, []string{"--native-nftables: counts more than backend iptables-legacy (--backend)"}},
		{[]string{"native-nftables", "true", "force-iptables-binary", "legacy"}, []string{"--force-iptables-binary: counts more than backend nftables (--native-nftables)"}},
		{[]string{"backend", "nftables", "native-nftables", "true"}, nil},
		{[]string{"native-nftables", "true"}, nil},
		{[]string{
			"istio-outbound-ports", "80", "istio-local-outbound-ports-exclude", "80", "istio-service-cidr", "10.0.0.0/8", "istio-service-exclude-cidr", "10.0.0.0/8",
			"kube-virt-interfaces", "net1", "istio-exclude-interfaces", "net1", "owner-groups", "7", "owner-groups-exclude", "7",
			"proxy-uid", "7", "exclude-outbound-ports-for-uids", "tcp:80:7",
		}, []string{
			"--istio-outbound-ports: port 80 is excluded too (80): the exclusion wins",
			"--istio-service-cidr: 10.0.0.0/8 is excluded too (10.0.0.0/8): the exclusion wins",
			"--kube-virt-interfaces: net1 is excluded too (net1): the exclusion wins",
			"--owner-groups: group 7 is excluded too (7): the exclusion wins",
			"--exclude-outbound-ports-for-uids: tcp:80:7: uid 7 is the proxy, for which there are no exclusions",
		}},
	} {
		if got := warned(t, c.given...); !slices.Equal(got, c.want) {
			t.Errorf("%q: got\n%s\nwant\n%s", c.given, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestManyPortsAreReadInNoTime(t *testing.T) {
	var ports []string
	for p := 65535; p > 0; p -= 2 {
		ports = append(ports, fmt.Sprint(p))
	}
	list := strings.Join(ports, ",")
	c := parsed(t, "istio-outbound-ports", list, "istio-local-outbound-ports-exclude", list)
	if got := c.IncludeOutboundPorts.String(); got != list {
		t.Errorf("the ports are %.40s…, want %.40s…", got, list)
	}
	if n := len(warned(t, "istio-outbound-ports", list, "istio-local-outbound-ports-exclude", list)); n != 4 {
		t.Errorf("%d warnings, want 4", n)
	}
}

func TestTheGreatestIDIsTheLastThatSomebodyCanHave(t *testing.T) {
	if got := parsed(t, "proxy-uid", "4294967294").ProxyUIDs.String(); got != "4294967294" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"4294967295", "1-4294967295", "99999999999999999999999"} {
		if _, err := Parse([]Input{{"proxy-uid", text, "test"}}, Options{}); err == nil {
			t.Errorf("%s is accepted, and iptables refuses it", text)
		}
	}
}

func TestPortsOfAnExclusionForUIDsMayBeAll(t *testing.T) {
	if got := parsed(t, "exclude-outbound-ports-for-uids", "tcp:*:5").ExcludePortsForUIDs; len(got) != 1 || got[0].String() != "tcp:1-65535:5" {
		t.Errorf("got %v, want tcp:1-65535:5", got)
	}
}
