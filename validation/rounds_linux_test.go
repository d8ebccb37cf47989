package validation

import (
	"testing"

	"github.com/sluicemesh/sluice/builder"
)

// On a busy node a connection may take longer than anyone waits for it. Where a
// connection ends that does not come late, no other round is needed.
func TestWhatMayComeLateIsTriedAgainAlsoWhenTheRulesAreInPlace(t *testing.T) {
	for got, again := range map[builder.Verdict]bool{lostPacket: true, noAnswer: true, noAddress: true, builder.ToOut: false, "refused": false} {
		r := run{options: Options{Settled: true}, results: []Result{{Status: Failed, Findings: []Finding{{Got: string(got)}}}}}
		if hopeless := r.hopeless(); hopeless == again {
			t.Errorf("%s: got tried again %v, want %v", got, !hopeless, again)
		}
	}
}
