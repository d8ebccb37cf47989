package interception

import (
	"context"
	"errors"
	"time"

	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/nftables"
)

// Clean removes everything that is ours from the calling thread's namespace, in
// every backend, whatever the settings were: first the rules, then what their
// marks needed. It goes on when one backend fails and reports all errors.
func Clean(ctx context.Context, o Options) (Report, error) {
	start := time.Now()
	release, err := xtables.Lock(ctx, lockWait)
	if err != nil {
		return Report{}, err
	}
	defer release()
	nft, err := nftables.Open()
	if err != nil {
		return Report{}, err
	}
	defer nft.Close()
	var report Report
	ch := look(ctx, nft, o)
	errs := []error{ch.unsure, ch.hidden}
	for _, b := range ch.present() {
		changed, err := b.apply(ctx, nothing())
		report.Changed = append(report.Changed, changed...)
		errs = append(errs, err)
	}
	tidied, left := tidySets(ctx, nil) // also where no rule of ours is left
	report.Changed = append(report.Changed, tidied...)
	if err := errors.Join(errs...); err != nil { // marked packets still need their routes
		return report, errors.Join(err, left)
	}
	changed, err := cleanPlumbing(ctx)
	report.Changed = append(report.Changed, changed...)
	report.Took = time.Since(start)
	return report, errors.Join(left, err)
}

func cleanPlumbing(ctx context.Context) ([]string, error) {
	conn, err := netns.Dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	changes, err := conn.Ensure(ctx, netns.Plumbing{})
	return lines(changes), err
}
