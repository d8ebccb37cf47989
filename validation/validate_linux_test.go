package validation_test

import (
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
)

// classic is the standard command line of a mesh.
func classic(mode string, more ...string) []string {
	return append([]string{
		"envoy-port=15001", "inbound-capture-port=15006", "proxy-uid=1337", "proxy-gid=1337", "istio-inbound-interception-mode=" + mode,
		"istio-service-cidr=*", "istio-inbound-ports=*", "istio-local-exclude-ports=15090,15021,15020",
	}, more...)
}

func withDNS(mode string) []string {
	return classic(mode, "redirect-dns=true", "dns-servers=10.96.0.10,2001:db8:53::10")
}

func withAllDNS(mode string) []string {
	return classic(mode, "redirect-dns=true", "capture-all-dns=true")
}

func withExceptions(mode string) []string {
	return classic(mode,
		"istio-service-exclude-cidr=198.51.100.0/25,10.0.0.7/32", "istio-local-outbound-ports-exclude=3306,7000-7010",
		"exclude-outbound-ports-for-uids=tcp:8500:500-510", "exclude-inbound-cidrs=203.0.113.0/28",
		"owner-groups-exclude=4000", "proxy-uid=1337,2102")
}

func listed(mode string) []string {
	return []string{
		"istio-inbound-interception-mode=" + mode, "proxy-uid=1337", "istio-inbound-ports=80,8080-8090",
		"istio-service-cidr=198.51.100.0/24,10.1.0.0/16", "istio-outbound-ports=9000,9100-9110",
		"owner-groups=2000-2001", "drop-invalid=true",
	}
}

func scenes() map[string]func(string) []string {
	plain := func(mode string) []string { return classic(mode) }
	return map[string]func(string) []string{
		"classic": plain, "dns": withDNS, "all dns": withAllDNS, "exceptions": withExceptions, "listed": listed,
	}
}

func TestCorrectRulesPassEveryCheckAndNothingLeavesThePod(t *testing.T) {
	fastest := time.Hour // others use this machine too
	for name, words := range scenes() {
		for _, mode := range []string{"REDIRECT", "TPROXY"} {
			for _, flavour := range rig.Flavours() {
				t.Run(name+" "+mode+" "+string(flavour), func(t *testing.T) {
					c := parse(t, words(mode)...)
					r := pod(t, c)
					load(r, flavour, built(c)...)
					left := watch(t, r)
					report := validate(t, r, c, nil, quick())
					if !report.OK() {
						t.Errorf("want it to pass, got\n%s", text(report))
					}
					fastest = min(fastest, report.Took)
					if got := left(); len(got) > 0 {
						t.Errorf("want no packet to leave the pod, got %q", got)
					}
					t.Logf("\n%s", text(report))
				})
			}
		}
	}
	if fastest > time.Second {
		t.Errorf("want less than a second, got %s at best", fastest)
	}
}

func TestWithoutRulesItFailsAndNothingLeavesThePod(t *testing.T) {
	c := parse(t, withDNS("REDIRECT")...)
	r := pod(t, c)
	left := watch(t, r)
	report := validate(t, r, c, nil, quick())
	if report.OK() {
		t.Errorf("want it to fail, got\n%s", text(report))
	}
	if got := left(); len(got) > 0 {
		t.Errorf("want no packet to leave the pod, got %q", got)
	}
}
