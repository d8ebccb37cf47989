package faults

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"testing"
)

// every is 1 in `make faults`. A run between two coffees takes another part of
// the steps each time.
var every = flag.Int("every", 20, "disturb at every n-th step only, from a random one on")

func first() int { return rand.IntN(*every) }

var recordFile = flag.String("record", "", "append what was measured to this `file`, a JSON object a line")

// Record is what one test measured, for docs/reliability.md.
type Record struct {
	Fault       string // what was done to the program
	Where       string // to which change and backend
	Points      int    // at how many points
	Every       int    // 1: at all of them, 2: at every second…
	Connections int    // tried meanwhile; none escaped, or the test had failed
}

// record notes what a passing test measured.
func record(t *testing.T, fault string, points, connections int) {
	t.Helper()
	recordAt(t, fault, points, *every, connections)
}

func recordAt(t *testing.T, fault string, points, every, connections int) {
	t.Helper()
	t.Logf("%s: %d points, %d connections", fault, points, connections)
	if every == 1 && points < 5 {
		t.Errorf("%s: at %d points only", fault, points)
	}
	if *recordFile == "" || t.Failed() {
		return
	}
	f, err := os.OpenFile(*recordFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line, err := json.Marshal(Record{Fault: fault, Where: t.Name(), Points: points, Every: every, Connections: connections})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

func (l *tally) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.count {
		n += c
	}
	return n
}
