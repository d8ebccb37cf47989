package interception

import (
	"context"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/nftables"
)

// lockWait bounds how long a run waits for another one in the same namespace,
// unless its context ends earlier.
const lockWait = 5 * time.Second

// Apply makes the calling thread's namespace as the configuration wants it,
// and verifies it by reading back. Where nothing differs nothing is written.
// After an error the state before is back, unless the error says otherwise.
func Apply(ctx context.Context, c builder.Config, o Options) (Report, error) {
	start := time.Now()
	report := Report{}
	err := withSession(ctx, c, o, func(s *session) error {
		report = s.report
		changed, err := s.apply(ctx)
		report.Changed = changed
		return err
	})
	report.Took = time.Since(start)
	return report, err
}

// Check lists how the calling thread's namespace differs from what the
// configuration wants, as readable lines, and changes nothing.
func Check(ctx context.Context, c builder.Config, o Options) ([]string, Report, error) {
	var diffs []string
	var report Report
	err := withSession(ctx, c, o, func(s *session) (err error) {
		report = s.report
		diffs, err = s.check(ctx)
		return err
	})
	return diffs, report, err
}

// withSession looks around in the namespace, decides, and calls do while no
// other run of sluice writes there.
func withSession(ctx context.Context, c builder.Config, o Options, do func(*session) error) error {
	release, err := xtables.Lock(ctx, lockWait)
	if err != nil {
		return err
	}
	defer release()
	conn, err := netns.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	nft, err := nftables.Open()
	if err != nil {
		return err
	}
	defer nft.Close()
	o.counters = c.Counters
	owner := ownerEntry(c.Backend)
	defer owner.Close()
	s := &session{conn: conn, opts: o}
	if s.facts, s.have, err = conn.Survey(ctx); err != nil {
		return err
	}
	ch := lookFor(ctx, c.Backend, nft, o)
	ch.via = owner.Prefix()
	if err := s.decide(c, ch); err != nil {
		return err
	}
	return do(s)
}
