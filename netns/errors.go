package netns

import (
	"errors"
	"fmt"
)

// ErrNoNamespace is a file that is there and no namespace, as what is left when
// one that was mounted on it has gone.
var ErrNoNamespace = errors.New("this file is no namespace")

// ErrUnsupported is what everything that touches a namespace returns on a
// system other than Linux.
var ErrUnsupported = errors.New("network namespaces exist on Linux only")

// Error is a step that failed, with what it acted on.
type Error struct {
	Op     string // what was tried, such as "open the namespace"
	Target string // what it was tried on; may be empty
	Err    error  // the kernel's answer
	Hint   string // what to do next; may be empty
}

// Error is one line: operation, target, cause and hint.
func (e *Error) Error() string {
	s := e.Op
	if e.Target != "" {
		s += " " + e.Target
	}
	s += ": " + e.Err.Error()
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause, so that errors.Is works with syscall.Errno and
// fs.ErrNotExist.
func (e *Error) Unwrap() error { return e.Err }

// HostError refuses a namespace that is somebody's who must not be captured.
type HostError struct {
	Target string // as the caller named it
	ID     ID
	Whose  string // "this process" or "process 1"
}

// Error names the namespace and whose it is.
func (e *HostError) Error() string {
	return fmt.Sprintf("refuse to act on %s: it is the network namespace of %s (%s)", e.Target, e.Whose, e.ID)
}

// ApplyError is a change that failed. What was done before it has been undone,
// unless Undo says why not.
type ApplyError struct {
	Change Change
	Err    error
	Hint   string
	Undo   error // nil if the state before is back
}

// Error names the change as the command line that would make it.
func (e *ApplyError) Error() string {
	s := e.Change.String() + ": " + e.Err.Error()
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	if e.Undo != nil {
		s += "; putting back what was there failed too: " + e.Undo.Error()
	}
	return s
}

// Unwrap gives the cause, and what went wrong while undoing.
func (e *ApplyError) Unwrap() []error {
	if e.Undo == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Undo}
}
