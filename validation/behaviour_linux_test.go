package validation_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/validation"
)

// loadNative loads the rules as the nf_tables backend has them.
func loadNative(t *testing.T, r *rig.Rig, c builder.Config) {
	t.Helper()
	tables, err := nftables.Translate(nftables.Inet, builder.Build(c, iptables.V4), builder.Build(c, iptables.V6))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Pod.RunCmd(rig.Cmd{Args: []string{"nft", "-f", "-"}, Stdin: tables.String()}); got.Err != nil {
		t.Fatalf("nft: %v: %s", got.Err, got.Stderr)
	}
}

func TestCorrectNativeTablesPassEveryCheck(t *testing.T) {
	for name, words := range scenes() {
		for _, mode := range []string{"REDIRECT", "TPROXY"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				c := parse(t, words(mode)...)
				r := pod(t, c)
				loadNative(t, r, c)
				left := watch(t, r)
				report := validate(t, r, c, nil, quick())
				if !report.OK() || report.Took > time.Second {
					t.Errorf("want it to pass within a second, got\n%s", text(report))
				}
				if got := left(); len(got) > 0 {
					t.Errorf("want no packet to leave the pod, got %q", got)
				}
			})
		}
	}
}

func TestSomebodyElseOnAPortIsAFindingThatEndsTheWait(t *testing.T) {
	c := parse(t, classic("REDIRECT")...)
	r := pod(t, c)
	load(r, rig.Legacy, built(c)...)
	l, err := r.Pod.Listen(rig.App, "tcp", "0.0.0.0:15006")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	report := validate(t, r, c, nil, validation.Options{Timeout: 5 * time.Second})
	if got := text(report); report.OK() || !strings.Contains(got, "In port tcp 0.0.0.0:15006: want a free port, got somebody else") {
		t.Errorf("want the taken port named, got\n%s", got)
	}
	if report.Early == "" || report.Took > time.Second {
		t.Errorf("want it to give up early, took %s: %q", report.Took, report.Early)
	}
	if got := report.Termination(); !strings.Contains(got, "--attach") || len(got) > 1024 {
		t.Errorf("want a short message that names the next step, got %d bytes: %s", len(got), got)
	}
}

func TestRulesThatComeAMomentLaterAreWaitedFor(t *testing.T) {
	c := parse(t, classic("REDIRECT")...)
	r := pod(t, c)
	late := make(chan struct{})
	go func() {
		defer close(late)
		time.Sleep(300 * time.Millisecond)
		load(r, rig.NFT, built(c)...)
	}()
	report := validate(t, r, c, nil, validation.Options{Timeout: 10 * time.Second})
	<-late
	if !report.OK() || report.Rounds < 2 {
		t.Errorf("want it to pass in a later round, got round %d\n%s", report.Rounds, text(report))
	}
}

func TestMissingRulesAreWaitedForUntilTheDeadline(t *testing.T) {
	c := parse(t, classic("REDIRECT")...)
	r := pod(t, c)
	report := validate(t, r, c, nil, validation.Options{Timeout: 700 * time.Millisecond})
	if report.OK() || report.Early != "" || report.Took < 400*time.Millisecond {
		t.Errorf("want a failure at the deadline, got %s, early %q\n%s", report.Took, report.Early, text(report))
	}
}

func TestWrongRulesEndTheWaitEarly(t *testing.T) {
	c := parse(t, classic("REDIRECT")...)
	wrong := c
	wrong.ExcludeOutboundPorts = builder.Ports{Ranges: []iptables.PortRange{iptables.OnePort(15002)}}
	r := pod(t, c)
	load(r, rig.Legacy, built(wrong)...)
	report := validate(t, r, c, nil, validation.Options{Timeout: 20 * time.Second})
	if report.OK() || !strings.Contains(report.Early, "stay wrong") || report.Took > 5*time.Second {
		t.Errorf("want an early failure, got %s, early %q\n%s", report.Took, report.Early, text(report))
	}
}

func sidecarOf(c builder.Config) sidecar.Config {
	return sidecar.Config{Transparent: c.TProxied()}
}

// attached validates while a proxy runs.
func attached(t *testing.T, r *rig.Rig, c builder.Config) validation.Report {
	t.Helper()
	return validate(t, r, c, func(f *validation.Facts) { f.Attach = true }, quick())
}

func TestAttachChecksBesideARunningProxy(t *testing.T) {
	for _, mode := range []string{"REDIRECT", "TPROXY"} {
		t.Run(mode, func(t *testing.T) {
			c := parse(t, classic(mode)...)
			r := pod(t, c)
			load(r, rig.Legacy, built(c)...)
			config := sidecarOf(c)
			proxy := r.Pod.Sidecar(rig.Proxy, config)
			report := attached(t, r, c)
			if !report.OK() {
				t.Errorf("want it to pass, got\n%s", text(report))
			}
			if got := proxy.Reports(); len(got) > 0 {
				t.Errorf("want the proxy undisturbed, it accepted %v", got)
			}
			load(r, rig.Legacy, builder.Build(parse(t, "istio-service-cidr="), iptables.V4))
			if report := attached(t, r, c); report.OK() {
				t.Errorf("want wrong rules noticed, got\n%s", text(report))
			}
		})
	}
}

func TestAttachNamesAPortThatIsNotTheProxys(t *testing.T) {
	c := parse(t, classic("REDIRECT")...)
	r := pod(t, c)
	load(r, rig.Legacy, built(c)...)
	r.Pod.Sidecar(rig.User{UID: 4444, GID: 4444}, sidecarOf(c))
	if got := text(attached(t, r, c)); !strings.Contains(got, "want the proxy, listening, got somebody with uid 4444") {
		t.Errorf("want the stranger named, got\n%s", got)
	}
}

func TestReportIsJSONWithEveryCheck(t *testing.T) {
	c := parse(t, classic("REDIRECT")...)
	r := pod(t, c)
	load(r, rig.Legacy, built(c)...)
	report := validate(t, r, c, nil, quick())
	var b strings.Builder
	if err := report.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		OK     bool
		Checks []struct{ Name, Status string }
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || !got.OK || len(got.Checks) != len(report.Results) {
		t.Errorf("want ok with %d checks, got %v %+v", len(report.Results), err, got)
	}
}

func TestNothingToCheckInModeNone(t *testing.T) {
	c := parse(t, "istio-inbound-interception-mode=NONE")
	if got := validation.Plan(c, validation.Facts{}); len(got) != 0 {
		t.Errorf("want no check, got %v", got)
	}
}
