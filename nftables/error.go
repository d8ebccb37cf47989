package nftables

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Error is the kernel's refusal to do something, with what it refused.
type Error struct {
	// Op is what was tried: "add rule", "list chains", …
	Op string
	// Object is what it was tried on, as nft writes it; "" if the kernel does not say.
	Object string
	// Missing names the kernel module and option without which the kernel cannot
	// do it, as in "nft_redir: CONFIG_NFT_REDIR"; "" if that is not the reason.
	Missing string
	// Hint is what to do about it; "" if nobody knows.
	Hint string
	Err  error
}

// Error is one line: what, on what, why, and what helps.
func (e *Error) Error() string {
	text := "nf_tables: " + e.Op
	if e.Object != "" {
		text += fmt.Sprintf(" %q", e.Object)
	}
	if e.Missing != "" {
		text += ": the kernel is missing " + e.Missing
	}
	text += ": " + e.Err.Error()
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns the kernel's error.
func (e *Error) Unwrap() error { return e.Err }

// VerifyError says that the kernel does not hold what it acknowledged. What was
// there before is there again, unless Undo says why not.
type VerifyError struct {
	Differences []iptables.Difference
	Undo        error
}

// Error lists the first differences.
func (e *VerifyError) Error() string {
	var lines []string
	for _, d := range e.Differences {
		if len(lines) == 3 {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Differences)-3))
			break
		}
		lines = append(lines, d.String())
	}
	text := "nf_tables: the rules read back differ from those sent: " + strings.Join(lines, "; ")
	if e.Undo != nil {
		return text + "; they could not be put back: " + e.Undo.Error()
	}
	return text + "; what was there before is there again"
}

// Unwrap returns what went wrong when undoing.
func (e *VerifyError) Unwrap() error { return e.Undo }

// errForeign: rules of other people's making in our table cannot be written back.
var errForeign = errors.New("our table held rules that are not of our making")
