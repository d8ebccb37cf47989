package install

import "time"

// backoff bounds how often a file is written again whose owner keeps writing
// it too. A first write, and the first after a quiet time, goes at once; then
// the pauses double.
type backoff struct {
	first, most, quiet time.Duration
	pause              time.Duration
	last               time.Time
}

// The pauses: nine writes in a minute against an owner who never gives up, and
// at most half a minute in which a pod may start without us.
func newBackoff() backoff {
	return backoff{first: 200 * time.Millisecond, most: 30 * time.Second, quiet: time.Minute}
}

// wait says how long to hold the next write back at the time now.
func (b *backoff) wait(now time.Time) time.Duration {
	if b.last.IsZero() || now.Sub(b.last) > max(b.quiet, b.pause) {
		return 0
	}
	return max(0, b.pause-now.Sub(b.last))
}

// wrote takes note of a write at the time now.
func (b *backoff) wrote(now time.Time) {
	switch {
	case b.last.IsZero() || now.Sub(b.last) > max(b.quiet, b.pause):
		b.pause = b.first
	default:
		b.pause = min(b.most, 2*b.pause)
	}
	b.last = now
}
