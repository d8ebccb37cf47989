package nftables

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// sample is the standard interception in REDIRECT mode, with DNS, and some
// rules of every kind; TPROXY mode's mangle beside it.
const sample = `*raw
-A PREROUTING -p udp -m udp --sport 53 -j ISTIO_INBOUND
-A OUTPUT -p udp -m udp --dport 53 -j ISTIO_OUTPUT_DNS
-A ISTIO_INBOUND -s {net1} -p udp -m udp --sport 53 -j CT --zone 1
-A ISTIO_OUTPUT_DNS -p udp -m udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1
-A ISTIO_OUTPUT_DNS -p udp -m udp --sport 15053 -m owner --gid-owner 1337 -j CT --zone 2
COMMIT
*mangle
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A PREROUTING -p tcp -m mark --mark 0x539 -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff
-A OUTPUT -p tcp -m connmark --mark 0x539 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
-A ISTIO_DROP -m conntrack --ctstate INVALID -j DROP
-A ISTIO_INBOUND -i net+ -j RETURN
-A ISTIO_INBOUND -m conntrack --ctdir REPLY -j RETURN
-A ISTIO_INBOUND -p tcp -m socket --transparent -j ISTIO_DIVERT
-A ISTIO_INBOUND -p tcp -m socket --transparent --nowildcard -j ISTIO_DIVERT
-A ISTIO_INBOUND -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ISTIO_TPROXY
-A ISTIO_INBOUND -p tcp -m tcp --dport 80 ! --tcp-flags FIN,SYN,RST,ACK SYN -j ISTIO_TPROXY
-A ISTIO_INBOUND ! -i lo -p tcp -j ISTIO_TPROXY
-A ISTIO_INBOUND -p tcp -m mark ! --mark 0x53a -j RETURN
-A ISTIO_INBOUND -p tcp -m mark --mark 0x3a/0xff -j ISTIO_TPROXY
-A ISTIO_DIVERT -j MARK --set-xmark 0x539/0xffffffff
-A ISTIO_DIVERT -j MARK --set-xmark 0x10/0xf0
-A ISTIO_DIVERT -m conntrack ! --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ISTIO_TPROXY ! -d {lo} -p tcp -j TPROXY --on-port 15006 --on-ip {any} --tproxy-mark 0x539/0xffffffff
-A ISTIO_TPROXY -p tcp -j LOG --log-prefix "no listener "
COMMIT
*nat
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A OUTPUT -p tcp -j ISTIO_OUTPUT
-A OUTPUT -p udp -m udp --dport 53 -j ISTIO_OUTPUT
-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15090 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15021 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 15020 -j RETURN
-A ISTIO_INBOUND -p tcp -m comment --comment "from -b" -j ISTIO_IN_REDIRECT
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_OUTPUT -s {six} -o lo -j RETURN
-A ISTIO_OUTPUT ! -d {lo} -o lo -p tcp -m tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT ! -d {lo} -o lo -p tcp -m tcp ! --dport 15000:15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --uid-owner 2000-2999 -j RETURN
-A ISTIO_OUTPUT -o lo -j RETURN
-A ISTIO_OUTPUT -m owner ! --gid-owner 4000 -m owner ! --gid-owner 5000-5010 -j RETURN
-A ISTIO_OUTPUT -j ISTIO_OUTPUT_DNS
-A ISTIO_OUTPUT -p udp -j RETURN
-A ISTIO_OUTPUT -d {lo} -j RETURN
-A ISTIO_OUTPUT -d {net1} -j RETURN
-A ISTIO_OUTPUT -d {net2} -j RETURN
-A ISTIO_OUTPUT -d {host} -j RETURN
-A ISTIO_OUTPUT -p tcp -m tcp --dport 25 -j RETURN
-A ISTIO_OUTPUT -p tcp -m tcp --dport 1000:2000 -j RETURN
-A ISTIO_OUTPUT -p tcp -m multiport --dports 2001,8000:9000 -j RETURN
-A ISTIO_OUTPUT ! -o eth9 ! -s {net2} -p tcp -j ISTIO_REDIRECT
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
-A ISTIO_OUTPUT_DNS -p udp -m udp --dport 53 -j REDIRECT --to-ports 15053
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`

// samples is the sample for both families.
func samples(t testing.TB) (v4, v6 iptables.Ruleset) {
	t.Helper()
	four := strings.NewReplacer("{lo}", "127.0.0.1/32", "{six}", "127.0.0.6/32", "{any}", "0.0.0.0",
		"{net1}", "10.0.0.0/8", "{net2}", "192.0.2.0/25", "{host}", "198.51.100.7/32")
	six := strings.NewReplacer("{lo}", "::1/128", "{six}", "::6/128", "{any}", "::",
		"{net1}", "2001:db8::/32", "{net2}", "2001:db8:1::/61", "{host}", "2001:db8:2::7/128")
	return parsed(t, iptables.V4, four.Replace(sample)), parsed(t, iptables.V6, six.Replace(sample))
}

func parsed(t testing.TB, f iptables.Family, text string) iptables.Ruleset {
	t.Helper()
	rs, err := iptables.Parse(f, text)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}
