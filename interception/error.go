package interception

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/nftables"
)

// Kind says what a caller can do about an error.
type Kind uint8

// The kinds.
const (
	Failed      Kind = iota // anything else; the state before is back, or the error says what is where
	Unavailable             // no usable backend, or the kernel lacks a feature
	Busy                    // somebody else is at it: try again
	Forbidden               // a capability is missing
	Refused                 // asked for what must not be done, such as the host's namespace
)

// Error is a failed operation with its evidence.
type Error struct {
	Kind  Kind
	Op    string // what was tried
	Words string // the cause
	Hint  string // what to do next; may be empty
	Err   error
}

// Error is one line: operation, cause, hint.
func (e *Error) Error() string {
	parts := []string{e.Op}
	if e.Words != "" {
		parts = append(parts, e.Words)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	text := strings.Join(parts, ": ")
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf finds the kind of any error that comes out of this package.
func KindOf(err error) Kind {
	var own *Error
	var host *netns.HostError
	var nft *nftables.Error
	switch {
	case errors.As(err, &nft) && nft.Missing != "":
		return Unavailable
	case errors.As(err, &own):
		return own.Kind
	case errors.As(err, &host):
		return Refused
	case errors.Is(err, fs.ErrPermission):
		return Forbidden
	}
	switch xtables.KindOf(err) {
	case xtables.Capability:
		return Forbidden
	case xtables.Busy:
		return Busy
	case xtables.Unusable:
		return Unavailable
	}
	return Failed
}
