package diff

import (
	"fmt"

	"github.com/sluicemesh/sluice/iptables"
)

// Side is one of the two rule sets that are compared.
type Side struct {
	Rules iptables.Ruleset
	// Names are short names of the ports to which rules capture, such as "In".
	Names map[iptables.Port]string
}

// Result is how two rule sets of one family differ; without differences they
// are equivalent.
type Result struct {
	Family      string       `json:"family"`
	Differences []Difference `json:"differences"`
	// More differences were found than are listed.
	More bool `json:"more,omitempty"`
}

// Equivalent says whether the rule sets treat every packet alike.
func (r Result) Equivalent() bool { return len(r.Differences) == 0 }

// Of lists the differences of one kind.
func (r Result) Of(k Kind) []Difference {
	var list []Difference
	for _, d := range r.Differences {
		if d.Kind == k {
			list = append(list, d)
		}
	}
	return list
}

// Kind is what a difference is about.
type Kind string

// The kinds, the most telling first.
const (
	Connections Kind = "connections" // where a new connection goes
	Packets     Kind = "packets"     // where other packets go: later ones, marked ones
	Marks       Kind = "marks"       // same way, other marks or conntrack zones
)

// Difference is a set of packets that the sides treat differently.
type Difference struct {
	Kind    Kind   `json:"kind"`
	Packets string `json:"packets"` // in words
	Was     string `json:"was"`
	Now     string `json:"now"`
	// Example is one of the packets, and Path the way it goes.
	Example iptables.Packet `json:"-"`
	Path    iptables.Path   `json:"-"`
}

// String is the difference as a sentence.
func (d Difference) String() string { return d.Packets + ": was " + d.Was + ", now " + d.Now }

// TooComplexError is a comparison that was given up: its sets of packets do
// not fit into memory.
type TooComplexError struct{ Nodes int }

// Error says how far it came.
func (e *TooComplexError) Error() string {
	return fmt.Sprintf("the rule sets are too entangled to compare exactly: given up at %d nodes", e.Nodes)
}
