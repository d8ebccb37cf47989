package nfnl

import (
	"errors"
	"strconv"
	"syscall"
)

// Error is the kernel's refusal of a message.
type Error struct {
	// Message is the number of the message in its buffer, from 0; -1 if the
	// kernel refused the batch as a whole.
	Message int
	Errno   syscall.Errno
	// Offset is where in the message's body, in bytes, the attribute begins that
	// the kernel objects to; -1 if it did not say.
	Offset int
	// Text is the kernel's own explanation, often "".
	Text string
}

// Error is the kernel's explanation or the name of the error.
func (e *Error) Error() string {
	if e.Text != "" {
		return e.Text + ": " + e.Errno.Error()
	}
	return e.Errno.Error()
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

// ErrChanged means that the rules changed between the read and the batch that
// was made from it: nothing was applied, and reading again is safe.
var ErrChanged = errors.New("the rules changed meanwhile")

// TooLongError is a batch that does not fit into the socket's send buffer.
// Nothing was applied.
type TooLongError struct{ Size, Limit int }

// Error says how much is needed and how to get it.
func (e *TooLongError) Error() string {
	return "a transaction of " + strconv.Itoa(e.Size) + " bytes is over this socket's limit of " + strconv.Itoa(e.Limit) +
		" (raise the sysctl net.core.wmem_max, which bounds it for processes without CAP_NET_ADMIN in the host's user namespace)"
}
