// Package doctor tries sluice doctor's examination in real namespaces.
package doctor

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/doctor"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func look(pod *rig.Namespace, o interception.Options) (report doctor.Report) {
	pod.Do(func() { report = doctor.Look(context.Background(), o) })
	return report
}

// finding is a report's finding on a topic; the zero value if there is none.
func finding(r doctor.Report, topic string) doctor.Finding {
	for _, f := range r.Findings {
		if f.Topic == topic {
			return f
		}
	}
	return doctor.Finding{}
}

func want(t *testing.T, r doctor.Report, topic string, s doctor.Severity, says string) {
	t.Helper()
	f := finding(r, topic)
	if f.Severity != s || !strings.Contains(f.Says, says) {
		t.Errorf("%s: %s %q, want %s with %q", topic, f.Severity, f.Says, s, says)
	}
}

func TestEveryBackendThatIsHereIsFoundToWork(t *testing.T) {
	pod := rig.NewNamespace(t, "pod")
	r := look(pod, interception.Options{})
	if want := []string{"iptables-nft", "iptables-legacy", "nftables"}; !slices.Equal(r.Backends, want) {
		t.Errorf("backends %q, want %q", r.Backends, want)
	}
	want(t, r, "backend auto", doctor.Good, "iptables-nft")
	want(t, r, "rules", doctor.Good, "none of ours")
}

func TestAHostWithoutIptablesStillHasNftables(t *testing.T) {
	pod := rig.NewNamespace(t, "pod")
	r := look(pod, interception.Options{Path: []string{t.TempDir()}})
	if want := []string{"nftables"}; !slices.Equal(r.Backends, want) {
		t.Errorf("backends %q, want %q", r.Backends, want)
	}
	want(t, r, "backend auto", doctor.Good, "nftables")
	want(t, r, "backend iptables-legacy", doctor.Warning, "no working")
}

func TestLookingChangesNothing(t *testing.T) {
	pod := rig.NewNamespace(t, "pod")
	before := pod.State()
	look(pod, interception.Options{})
	if diff := before.Diff(pod.State()); diff != "" {
		t.Errorf("the namespace changed:\n%s", diff)
	}
}

func TestRulesInTwoBackendsAreReported(t *testing.T) {
	pod := rig.NewNamespace(t, "pod")
	pod.Restore(rig.Legacy, rig.IPv4, "*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\nCOMMIT\n")
	pod.Restore(rig.NFT, rig.IPv4, "*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\nCOMMIT\n")
	r := look(pod, interception.Options{})
	want(t, r, "rules", doctor.Warning, "iptables-nft and iptables-legacy")
	c := builder.Default()
	pod.Do(func() {
		if _, err := interception.Apply(context.Background(), c, interception.Options{}); err != nil {
			t.Fatal(err)
		}
	})
	want(t, look(pod, interception.Options{}), "rules", doctor.Good, "ours stand in")
}

func TestWhatIsInTheWayIsNamed(t *testing.T) {
	r := rig.New(t)
	r.Pod.IP("link", "set", "lo", "down")
	r.Pod.IP("-4", "addr", "flush", "dev", "eth0")
	r.Pod.Sysctl("net/ipv4/conf/all/rp_filter", "1")
	report := look(r.Pod, interception.Options{})
	want(t, report, "interface lo", doctor.Warning, "down")
	want(t, report, "interface eth0", doctor.Note, "no IPv4 address")
	want(t, report, "reverse path filter", doctor.Warning, "strict")
	r.Pod.Sysctl("net/ipv4/conf/lo/rp_filter", "2") // loose, and the larger value counts
	if report := look(r.Pod, interception.Options{}); slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool { return f.Topic == "reverse path filter" }) {
		t.Errorf("a loose filter is in nobody's way, got %+v", report.Findings)
	}
}
