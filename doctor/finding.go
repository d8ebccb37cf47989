package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Good    Severity = "ok"
	Note    Severity = "note"    // worth knowing
	Warning Severity = "warning" // interception works, but not as one may expect
	Problem Severity = "problem" // something does not work here
)

// Finding is one thing that was looked at.
type Finding struct {
	Topic    string   `json:"topic"` // what was looked at: "backend nftables"
	Severity Severity `json:"severity"`
	Says     string   `json:"says"`            // what is the case
	Means    string   `json:"means,omitempty"` // for interception
	Do       string   `json:"do,omitempty"`    // to change it
}

// Report is everything that was found, in the order in which it matters.
type Report struct {
	Findings []Finding `json:"findings"`
	// Backends lists the backends that work here.
	Backends []string `json:"backends"`
	// MayProgram says whether this process has the capability to program rules.
	MayProgram bool `json:"mayProgram"`
}

func (r *Report) add(topic string, s Severity, says, means, do string) {
	r.Findings = append(r.Findings, Finding{topic, s, says, means, do})
}

// Print writes the report for a person to read.
func (r Report) Print(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-8s %-24s %s\n", f.Severity, f.Topic, f.Says)
		for _, more := range []string{f.Means, f.Do} {
			if more != "" {
				fmt.Fprintf(&b, "%-33s → %s\n", "", more)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
