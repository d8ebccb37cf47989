package xtables

import (
	"fmt"
	"strings"
)

// Kind says what a caller can do about an error.
type Kind uint8

// The kinds.
const (
	Failed     Kind = iota // anything else: the words say what
	Capability             // the process may not: NET_ADMIN, or NET_RAW for legacy
	Busy                   // someone else holds the lock: try again
	Unusable               // no such tool, table, match or target here
)

// String names the kind in a word or two.
func (k Kind) String() string {
	switch k {
	case Capability:
		return "missing capability"
	case Busy:
		return "busy"
	case Unusable:
		return "not supported here"
	}
	return "failed"
}

// Error is a failed operation with its evidence. Find it with errors.As.
type Error struct {
	Kind  Kind
	Op    string   // what was tried: "write IPv4 rules"
	Argv  []string // the command, if one was run
	Exit  int      // its exit code; -1 if it did not exit by itself
	Words string   // the tool's or the kernel's own words
	Hint  string   // the likely cause and the next command; "" if none is known
	Err   error    // the error underneath, if any: context.DeadlineExceeded, a system error
}

// Error is one line: operation, command, words, hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if len(e.Argv) > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(e.Argv, " "))
		if e.Exit > 0 {
			fmt.Fprintf(&b, " (exit code %d)", e.Exit)
		}
	}
	switch {
	case e.Words != "":
		b.WriteString(": " + e.Words)
	case e.Err != nil:
		b.WriteString(": " + e.Err.Error())
	default:
		b.WriteString(": " + e.Kind.String())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the error underneath.
func (e *Error) Unwrap() error { return e.Err }
