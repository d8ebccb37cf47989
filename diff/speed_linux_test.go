package diff_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/pace"
)

// busy is the processor time that this process has used.
func busy(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// full is every setting at once.
func full() []string {
	return []string{
		"redirect-dns=true", "dns-servers=192.0.2.53,2001:db8::53,198.51.100.53", "istio-inbound-interception-mode=TPROXY", "drop-invalid=true",
		"istio-service-cidr=10.0.0.0/8,172.16.0.0/12,192.0.2.0/24,2001:db8::/32", "istio-service-exclude-cidr=10.1.0.0/16,2001:db8:1::/48",
		"istio-local-outbound-ports-exclude=22,25,53,110,143,389,3306,5432,6379,9042,11211,27017", "istio-exclude-interfaces=eth1,net+",
		"istio-outbound-ports=9000-9010", "kube-virt-interfaces=k6t+", "exclude-outbound-ports-for-uids=tcp:80,443:1000;udp:53:1001",
		"exclude-inbound-cidrs=203.0.113.0/24", "owner-groups=100,200-300", "owner-groups-exclude=250", "proxy-uid=1337,2000",
	}
}

func TestTwoFullConfigurationsAreComparedWithinASecond(t *testing.T) {
	best := time.Hour
	for range 4 { // processor time, for others use this machine too
		start := busy(t)
		for _, f := range iptables.Families() {
			if len(compare(t, build(t, f, full()...), build(t, f, append(full(), "istio-inbound-interception-mode=REDIRECT", "proxy-uid=1338")...))) == 0 {
				t.Error("got no difference")
			}
			same(t, compare(t, build(t, f, full()...), build(t, f, append(full(), "rule-comments=true")...)))
		}
		best = min(best, busy(t)-start)
	}
	t.Log(best)
	if most := pace.Factor * time.Second; best > most {
		t.Errorf("took %v of processor time, want at most %v", best, most)
	}
}

func TestTenThousandRulesAreCompared(t *testing.T) {
	var b strings.Builder
	b.WriteString("*nat\n:OUTPUT ACCEPT [0:0]\n")
	for i := range 5000 {
		fmt.Fprintf(&b, ":SVC-%d - [0:0]\n-A OUTPUT -d 10.%d.%d.1/32 -p tcp -m tcp --dport %d -j SVC-%d\n-A SVC-%d -p tcp -j REDIRECT --to-ports %d\n", i, i/250, i%250, 80+i%3, i, i, 20000+i)
	}
	was := parse(t, b.String())
	start := busy(t)
	got := compare(t, was, parse(t, strings.Replace(b.String(), "--to-ports 23333", "--to-ports 1", 1)))
	took := busy(t) - start
	t.Log(took)
	same(t, got, "TCP leaving to 10.13.83.1, port 80: was port 23333, now port 1")
	if took > time.Minute {
		t.Errorf("took %v, want a second or so", took)
	}
}

// Conditions on other things in turn, none of which contains another, are what
// makes sets of packets grow.
func TestTenThousandEntangledRulesAreCompared(t *testing.T) {
	var b strings.Builder
	b.WriteString("*filter\n:INPUT ACCEPT [0:0]\n")
	for i := range 10000 {
		n := i * 7919 % 60000
		switch verdict := []string{"ACCEPT", "DROP"}[i/3%2]; i % 4 {
		case 0:
			fmt.Fprintf(&b, "-A INPUT -s 10.%d.%d.0/24 -j %s\n", n/256, n%256, verdict)
		case 1:
			fmt.Fprintf(&b, "-A INPUT -p tcp -m tcp --dport %d:%d -j %s\n", n+1, n+3, verdict)
		case 2:
			fmt.Fprintf(&b, "-A INPUT -s 172.%d.%d.1/32 -p tcp -m tcp --dport %d -j %s\n", n/256, n%256, n+1, verdict)
		case 3:
			fmt.Fprintf(&b, "-A INPUT -d 192.168.%d.%d/32 -i eth%d -p udp -m udp --sport %d -j %s\n", n/256, n%256, i%8, n+1, verdict)
		}
	}
	text := b.String()
	last := strings.LastIndex(text, "-s 10.")
	start := busy(t)
	got := compare(t, parse(t, text), parse(t, text[:last]+"-s 11."+text[last+len("-s 10."):]))
	took := busy(t) - start
	t.Log(took, len(got))
	if len(got) == 0 {
		t.Error("got no difference")
	}
	if took > 2*time.Minute {
		t.Errorf("took %v", took)
	}
}

// Lists of CIDRs that have nothing in common are rules whose packets no other
// rule looks at: thousands of them on either side are a small question.
func TestTwoLongUnrelatedListsAreComparedWithinASecond(t *testing.T) {
	list := func(first int) iptables.Ruleset {
		var b strings.Builder
		b.WriteString("istio-service-exclude-cidr=")
		for i := range 10000 {
			n := (first + i*7919) % (1 << 22)
			fmt.Fprintf(&b, "%d.%d.%d.%d/32,", 10+n>>20, n>>12&0xff, n>>4&0xff, n<<4&0xff)
		}
		return build(t, iptables.V4, b.String())
	}
	was, now := list(1), list(1000003)
	best := time.Hour
	for range 3 { // processor time, for others use this machine too
		start := busy(t)
		if got := compare(t, was, now); len(got) == 0 {
			t.Error("got no difference")
		}
		best = min(best, busy(t)-start)
	}
	t.Log(best)
	if most := pace.Factor * time.Second; best > most {
		t.Errorf("took %v of processor time, want at most %v", best, most)
	}
}
