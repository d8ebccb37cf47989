package validation

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/builder"
)

// Status is how a check ended.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	NotDone Status = "not done" // see the reason; it neither passes nor fails
)

// Finding is one probe that went elsewhere than it should, or a port or route
// that is not as it should be.
type Finding struct {
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
	// Final says that waiting can't change it.
	Final bool `json:"final,omitempty"`
}

// String is one line.
func (f Finding) String() string { return fmt.Sprintf("%s: want %s, got %s", f.What, f.Want, f.Got) }

// Result is a check and how it ended.
type Result struct {
	Check    Check
	Status   Status
	Reason   string // of NotDone
	Findings []Finding
}

// Moved is a rule whose counter moved while the probes ran.
type Moved struct {
	Family  string `json:"family"`
	Rule    string `json:"rule"` // as iptables-save prints it, behind its table
	Packets uint64 `json:"packets"`
}

// Report is what Run found.
type Report struct {
	Results []Result
	Moved   []Moved // empty where counters can't be read
	Rounds  int     // how often the probes were sent; 1 if all was well at once
	Early   string  // why it did not go on until the deadline; "" if it did or passed
	Took    time.Duration
}

// OK says whether nothing failed and something was done.
func (r Report) OK() bool {
	done := 0
	for _, x := range r.Results {
		if x.Status == Failed {
			return false
		}
		if x.Status == Passed {
			done++
		}
	}
	return done > 0 || len(r.Results) == 0
}

// Proven says whether something was captured that had to be. Without it a
// report can pass where there are no rules at all: what was tried would not have
// been captured anyway, for want of privileges or by the settings.
func (r Report) Proven() bool {
	captured := func(p Probe) bool { return p.Want != builder.Direct }
	return slices.ContainsFunc(r.Results, func(x Result) bool { return x.Status == Passed && slices.ContainsFunc(x.Check.Probes, captured) })
}

// Text writes one line for each check, its findings below it, and the sum.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	for _, x := range r.Results {
		fmt.Fprintf(&b, "%-8s %s%s\n", x.Status, x.Check, detail(x))
		for _, f := range x.Findings {
			fmt.Fprintf(&b, "         - %s\n", f)
		}
	}
	for _, m := range r.Moved {
		fmt.Fprintf(&b, "counted  %s %s: %d\n", m.Family, m.Rule, m.Packets)
	}
	fmt.Fprintln(&b, r.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return strconv.Itoa(n) + " " + word
}

func detail(x Result) string {
	switch {
	case x.Status == NotDone:
		return ": " + x.Reason
	case len(x.Check.Probes) > 0:
		return ": " + plural(len(x.Check.Probes), "probe")
	}
	return ""
}

// Summary is the last line: the verdict in one sentence.
func (r Report) Summary() string {
	count := map[Status]int{}
	for _, x := range r.Results {
		count[x.Status]++
	}
	verdict := "interception works"
	switch {
	case !r.OK():
		verdict = "interception does NOT work"
	case !r.Proven():
		verdict = "nothing is wrong, but nothing proves interception: what could be tried is not to be captured"
	}
	text := fmt.Sprintf("%s: %s passed, %d failed, %d could not be done, in %s", verdict, plural(count[Passed], "check"), count[Failed], count[NotDone], r.Took.Round(time.Millisecond))
	if r.Early != "" {
		text += "; gave up early: " + r.Early
	}
	return text
}

// JSON writes the report as one object. Its fields are stable.
func (r Report) JSON(w io.Writer) error {
	type result struct {
		Family   string    `json:"family"`
		Name     string    `json:"name"`
		Kind     Kind      `json:"kind"`
		Status   Status    `json:"status"`
		Probes   int       `json:"probes"`
		Reason   string    `json:"reason,omitempty"`
		Findings []Finding `json:"findings,omitempty"`
	}
	results := make([]result, 0, len(r.Results))
	for _, x := range r.Results {
		c := x.Check
		results = append(results, result{c.Family.String(), c.Name, c.Kind, x.Status, len(c.Probes), x.Reason, x.Findings})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		OK           bool     `json:"ok"`
		Proven       bool     `json:"proven"`
		Summary      string   `json:"summary"`
		Checks       []result `json:"checks"`
		Moved        []Moved  `json:"counters,omitempty"`
		Rounds       int      `json:"rounds"`
		Milliseconds int64    `json:"milliseconds"`
	}{r.OK(), r.Proven(), r.Summary(), results, r.Moved, r.Rounds, r.Took.Milliseconds()})
}

// maxTermination keeps a message well within what Kubernetes shows: 4096 bytes
// a container, of 12288 for the pod (kubernetes.io, "Customizing the
// termination message").
const maxTermination = 1024

// Termination is the message for the termination log: the cause of a failure
// and the next step. It is empty if all is well.
func (r Report) Termination() string {
	if r.OK() {
		return ""
	}
	var lines []string
	for _, x := range r.Results {
		for _, f := range x.Findings {
			lines = append(lines, x.Check.String()+": "+f.String())
		}
	}
	more := ""
	if len(lines) > 3 {
		more = fmt.Sprintf("\nand %d more", len(lines)-3)
		lines = lines[:3]
	}
	end := more + "\n" + r.hint()
	return clip(r.Summary()+"\n"+strings.Join(lines, "\n"), maxTermination-len(end)) + end
}

// hint is the next command to run.
func (r Report) hint() string {
	for _, x := range r.Results {
		if x.Check.Kind == Listeners && x.Status == Failed {
			return "Next: find who holds the port (ss -ltnp); if it is the proxy itself, run with --attach."
		}
	}
	return "Next: run 'sluice check' with the same settings and CAP_NET_ADMIN in this pod's namespace; if rules are missing, look at the CNI plugin's log on this node."
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:max(0, n-3)], "") + "..."
}
