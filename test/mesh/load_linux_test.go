package mesh

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"
)

// The size of a load: `make e2e` asks for ten seconds of 200 connections, other
// tests of the same machine want to run beside this one.
var (
	loadTime    = flag.Duration("load", 500*time.Millisecond, "how long each load lasts")
	connections = flag.Int("connections", 40, "how many connections a load has under way at a time")
)

func TestRulesThatChangeUnderLoadBreakNothingAndLetNothingPast(t *testing.T) {
	for _, path := range paths(t) {
		for _, b := range Backends() {
			t.Run(fmt.Sprintf("%s by %s", b, path), func(t *testing.T) {
				l := NewLoad(t)
				path.Install(t, l.Rig.Pod, Settings{}, b)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var report LoadReport
				var loading sync.WaitGroup
				loading.Go(func() { report = l.Run(ctx, *connections, *connections/10) })
				applied := keepChanging(t, l, path, b)
				cancel()
				loading.Wait()
				checkLoad(t, report, applied)
			})
		}
	}
}

// keepChanging goes from one set of rules to another while the load shall last,
// at least once through them all. None of the settings concerns the load's own
// connections.
func keepChanging(t *testing.T, l *Load, path Path, b Backend) (times int) {
	t.Helper()
	settings := []Settings{
		{ExcludeOutboundPorts: "9999"},
		{ExcludeOutboundCIDRs: "203.0.113.0/24,2001:db8:3::/64", ExcludeInboundPorts: "9998"},
		{},
	}
	for end := time.Now().Add(*loadTime); times < len(settings) || time.Now().Before(end); times++ {
		path.Install(t, l.Rig.Pod, settings[times%len(settings)], b)
		time.Sleep(20 * time.Millisecond)
	}
	return times
}

func checkLoad(t *testing.T, r LoadReport, applied int) {
	t.Helper()
	t.Logf("%d connections answered, %d exchanges on open ones, rules changed %d times", r.Answered, r.Exchanges, applied)
	if r.Escaped > 0 {
		t.Errorf("%d connections reached their peer past the sidecar, want none", r.Escaped)
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	if r.Answered < *connections || r.Exchanges == 0 {
		t.Errorf("answered %d, exchanges %d: too few to tell anything", r.Answered, r.Exchanges)
	}
}

// The control: with the rules removed meanwhile, connections do get past.
func TestTheLoadNoticesEscapes(t *testing.T) {
	l := NewLoad(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r := l.Run(ctx, 20, 0)
	if r.Answered == 0 || r.Escaped != r.Answered {
		t.Errorf("without rules: got %d of %d connections past the sidecar, want all; failures: %v", r.Escaped, r.Answered, r.Failures)
	}
}
