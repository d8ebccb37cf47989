package validation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// Run does what was planned, in the calling thread's network namespace, and
// reports. It changes nothing there; conntrack forgets the probes by itself.
// An error means that it could not even look, not that interception is broken.
func Run(ctx context.Context, c builder.Config, f Facts, checks []Check, o Options) (Report, error) {
	start := time.Now()
	r := &run{config: c, facts: f, options: o, results: make([]Result, len(checks)), next: rand.Uint32(), secrets: newSecrets()}
	defer r.close()
	for i, check := range checks {
		r.results[i] = Result{Check: check}
	}
	before := r.counters(ctx)
	err := r.rounds(ctx, start.Add(o.Timeout))
	report := Report{Results: r.results, Moved: movedBetween(before, r.counters(ctx)), Rounds: r.round, Early: r.early, Took: time.Since(start)}
	return report, err
}

// run is the state of one Run.
type run struct {
	config  builder.Config
	facts   Facts
	options Options
	results []Result
	round   int
	early   string
	next    uint32 // tag of the next packet; source ports follow it
	secrets *secrets

	raws      map[iptables.Family]*raw
	listeners map[iptables.Family]*listeners
	captured  map[iptables.Family]int // the round in which something of the family first was: its rules are there
}

func (r *run) close() {
	for _, x := range r.raws {
		x.close()
	}
	for _, x := range r.listeners {
		x.close()
	}
}

func (r *run) counters(ctx context.Context) []iptables.Ruleset {
	if r.options.Counters == nil {
		return nil
	}
	rules, err := r.options.Counters(ctx)
	if err != nil { // they are an addition to the report, no part of the proof
		return nil
	}
	return rules
}

const firstPause, lastPause = 20 * time.Millisecond, 320 * time.Millisecond

// rounds repeats what failed until it passes, nothing can change, or time is up.
func (r *run) rounds(ctx context.Context, deadline time.Time) error {
	r.raws, r.listeners, r.captured = map[iptables.Family]*raw{}, map[iptables.Family]*listeners{}, map[iptables.Family]int{}
	pause := firstPause
	for {
		r.round++
		if err := r.once(ctx); err != nil {
			return err
		}
		if !r.failing() || r.hopeless() || !time.Now().Add(pause).Before(deadline) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (r *run) once(ctx context.Context) error {
	for i := range r.results {
		x := &r.results[i]
		if x.Status == Passed || x.Status == NotDone && x.Check.Impossible != "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r.do(ctx, x)
	}
	return nil
}

func (r *run) failing() bool {
	for _, x := range r.results {
		if x.Status == Failed {
			return true
		}
	}
	return false
}

// hopeless says that waiting can't help: somebody else's port stays taken, and
// rules that capture some of what they should are all there, since each table
// is replaced at once. Two more rounds see what came in the middle of the first,
// and a second table that comes a moment later.
// A packet or connection that was lost is no proof of that: an address takes a
// while until it is one (RFC 4862, tentative), and a busy node is late.
func (r *run) hopeless() bool {
	lost, stays := false, ""
	for _, x := range r.results {
		for _, f := range x.Findings {
			if f.Final {
				r.early = "waiting can't change that: " + f.String()
				return true
			}
			lost = lost || slices.Contains([]builder.Verdict{lostPacket, noAnswer, noAddress}, builder.Verdict(f.Got))
		}
		if first := r.captured[x.Check.Family]; x.Status == Failed && first > 0 && r.round >= first+2 {
			stays = x.Check.Family.String() + " rules are there and stay wrong"
		}
	}
	if r.options.Settled {
		stays = "the rules are in place, so nothing can change"
	}
	if !lost {
		r.early = stays
	}
	return r.early != ""
}

// lostPacket is the verdict on a packet that nobody got, noAnswer that on a
// connection, and noAddress what the kernel says about an address that is not
// usable yet.
const (
	lostPacket builder.Verdict = "nothing: it was not delivered"
	noAnswer   builder.Verdict = "no answer at all"
	noAddress  builder.Verdict = "the address can't be used yet"
)

// do runs one check.
func (r *run) do(ctx context.Context, x *Result) {
	x.Findings, x.Reason = nil, ""
	switch {
	case x.Check.Impossible != "":
		x.Status, x.Reason = NotDone, x.Check.Impossible
		return
	case x.Check.Kind == Listeners:
		x.Findings = r.listen(ctx, x.Check)
	case x.Check.Kind == Routes:
		x.Findings = r.checkRoutes(ctx, x.Check)
	case x.Check.Kind == Packets:
		x.Findings = r.sendAll(ctx, x.Check)
	default:
		if why := r.notYet(x.Check); why != "" {
			x.Status, x.Reason = NotDone, why
			return
		}
		x.Findings = r.connectAll(ctx, x.Check)
	}
	x.Status = Passed
	if len(x.Findings) > 0 {
		x.Status = Failed
	}
}

// notYet says what has to pass before: connections to what packets show to be
// wrong would only be slower, and could leave the pod.
func (r *run) notYet(c Check) string {
	if r.listeners[c.Family] == nil {
		return "the proxy's ports are taken"
	}
	for _, x := range r.results {
		if x.Check.Family == c.Family && x.Check.Kind == Packets && x.Status == Failed {
			return "not tried, since the packets before it did not go where they should"
		}
	}
	return ""
}

// enough findings of one check are reported; more say the same.
const enough = 4

func wanted(p Probe, got builder.Verdict) Finding {
	return Finding{What: p.String(), Want: string(p.Want), Got: string(got)}
}

func (r *run) note(p Probe, got builder.Verdict) (Finding, bool) {
	if got == p.Want {
		if got != builder.Direct {
			if f := p.Packet.Family(); r.captured[f] == 0 {
				r.captured[f] = r.round
			}
		}
		return Finding{}, true
	}
	return wanted(p, got), false
}

func (r *run) nextTag() uint32 {
	r.next++
	return r.next
}

// sourcePort follows the tag, so that no probe finds another's conntrack entry.
// It stays below the range from which the kernel takes a connection's port
// (net.ipv4.ip_local_port_range), so that connections don't either.
func sourcePort(tag uint32) iptables.Port { return iptables.Port(firstPort + tag%12000) }

func missing(err error) []Finding {
	return []Finding{{What: "the check itself", Want: "to be possible", Got: fmt.Sprint(err), Final: true}}
}
