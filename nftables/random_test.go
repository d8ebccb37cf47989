package nftables

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

var (
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random settings and packets")
	rounds = flag.Int("rounds", 300, "random rule sets of each law")
)

func random(t testing.TB) *rand.Rand {
	t.Helper()
	t.Logf("-seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 5))
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// several is a comma list of some of the words.
func several(r *rand.Rand, words ...string) string {
	var out []string
	for _, w := range words {
		if r.IntN(2) == 0 {
			out = append(out, w)
		}
	}
	return strings.Join(out, ",")
}

// randomSettings are settings that ask for every kind of rule now and then.
func randomSettings(r *rand.Rand) map[string]string {
	cidrs := []string{"192.0.2.0/24", "192.0.3.0/25", "198.51.100.7", "10.0.0.0/8", "2001:db8::/32", "2001:db9::/33", "2001:db8::7"}
	ports := []string{"22", "80", "81", "443", "8000-8100", "9090"}
	return map[string]string{
		"istio-inbound-interception-mode":    pick(r, "REDIRECT", "TPROXY"),
		"proxy-uid":                          pick(r, "1337", "1337,2000-2002", "0"),
		"proxy-gid":                          pick(r, "1337", "1337,202"),
		"istio-inbound-ports":                pick(r, "*", "*", "", several(r, ports...)),
		"istio-local-exclude-ports":          pick(r, "15090,15021,15020", several(r, ports...)),
		"istio-service-cidr":                 pick(r, "*", several(r, cidrs...)),
		"istio-service-exclude-cidr":         several(r, cidrs...),
		"istio-outbound-ports":               several(r, ports...),
		"istio-local-outbound-ports-exclude": several(r, "25", "53", "3306", "5000-5010"),
		"istio-exclude-interfaces":           several(r, "eth1", "net+"),
		"kube-virt-interfaces":               several(r, "k6t+"),
		"exclude-inbound-cidrs":              several(r, cidrs...),
		"exclude-outbound-ports-for-uids":    pick(r, "", "tcp:80,443:1000-1001"),
		"owner-groups":                       pick(r, "*", "100,202", "none"),
		"owner-groups-exclude":               several(r, "300-301"),
		"redirect-dns":                       pick(r, "true", "false"),
		"capture-all-dns":                    pick(r, "true", "false"),
		"dns-servers":                        pick(r, "192.0.2.53,2001:db8::53", "192.0.2.53"),
		"drop-invalid":                       pick(r, "true", "false"),
		"rule-comments":                      pick(r, "true", "false"),
		"log-rules":                          pick(r, "true", "false", "false"),
	}
}

// randomRules are the rules for random settings; sometimes of one family only.
func randomRules(t testing.TB, r *rand.Rand) (v4, v6 iptables.Ruleset) {
	t.Helper()
	var inputs []builder.Input
	for flag, value := range randomSettings(r) {
		inputs = append(inputs, builder.Input{Flag: flag, Value: value, Origin: "test"})
	}
	parsed, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v4, v6 = builder.Build(parsed.Config, iptables.V4), builder.Build(parsed.Config, iptables.V6)
	switch r.IntN(6) {
	case 0:
		v4.Chains = nil
	case 1:
		v6.Chains = nil
	}
	return v4, v6
}

func randomPacket(r *rand.Rand, f iptables.Family) (iptables.Packet, iptables.Path) {
	addrs := []string{"127.0.0.1", "127.0.0.6", "192.0.2.5", "192.0.3.200", "192.0.2.53", "198.51.100.7", "10.1.1.1", "203.0.113.9"}
	if f == iptables.V6 {
		addrs = []string{"::1", "::6", "2001:db8::5", "2001:db8::53", "2001:db8::7", "2001:db9:8000::1", "2001:db9::1", "fd00::1"}
	}
	p := iptables.Packet{
		Protocol:    pick(r, iptables.ProtoTCP, iptables.ProtoTCP, iptables.ProtoUDP, iptables.ProtoICMP),
		Src:         netip.MustParseAddr(pick(r, addrs...)),
		Dst:         netip.MustParseAddr(pick(r, addrs...)),
		Mark:        pick[uint32](r, 0, 0, 1337, 1338),
		ConnMark:    pick[uint32](r, 0, 1337),
		State:       pick(r, iptables.StateNew, iptables.StateNew, iptables.StateEstablished, iptables.StateInvalid, iptables.StateUntracked),
		Transparent: r.IntN(4) == 0,
		Midstream:   r.IntN(3) == 0,
	}
	p.Reply = p.State == iptables.StateEstablished && r.IntN(2) == 0
	if p.Protocol != iptables.ProtoICMP {
		p.SrcPort = pick[iptables.Port](r, 40000, 53, 15053)
		p.DstPort = pick[iptables.Port](r, 22, 25, 53, 80, 443, 5005, 8050, 15008, 15020, 15021, 1, 65535)
	}
	iface := pick(r, "eth0", "eth0", "eth1", "net1", "lo", "k6t-a")
	if r.IntN(2) == 0 {
		p.In = iface
		return p, iptables.Arriving
	}
	p.Out = iface
	if r.IntN(4) > 0 {
		p.Owner = &iptables.Owner{UID: pick[uint32](r, 0, 1000, 1337, 2001), GID: pick[uint32](r, 0, 100, 202, 300, 1337)}
	}
	return p, iptables.Leaving
}
