package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Error codes. Those below 100 are the CNI specification's, the others this
// plugin's own. They are stable; docs/cni.md says what to do about each.
const (
	CodeVersion       uint = 1   // the config's cniVersion is not spoken
	CodeEnvironment   uint = 4   // a CNI_ variable, CNI_ARGS among them, is missing or bad
	CodeInput         uint = 5   // standard input cannot be read
	CodeConfig        uint = 7   // the network config is bad
	CodeTryAgain      uint = 11  // the runtime should try again later
	CodeUnavailable   uint = 50  // STATUS: this node cannot program pods
	CodeSettings      uint = 101 // the pod's settings are bad
	CodeBackend       uint = 102 // no way to load rules works here
	CodeApply         uint = 103 // loading the rules failed, the state before is back
	CodeVerify        uint = 104 // what was read back is not what was wanted
	CodeHostNamespace uint = 105 // the namespace is the host's
)

// Error is what a runtime gets: a code, and what a person reading the pod's
// events can do.
type Error struct {
	Code    uint
	Message string // one sentence
	Details string // more, for those who look further
	Err     error  // the cause; may be nil
}

// Error joins message and details.
func (e *Error) Error() string {
	if e.Details == "" {
		return e.Message
	}
	return e.Message + ": " + e.Details
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// codeOf is the code of an error that has one; any other failed while rules
// were loaded.
func codeOf(err error) uint {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeApply
}

// document is the error as the specification writes it. Runtimes print msg
// and drop the rest, so msg holds code and details too.
func document(version string, err error) []byte {
	code := codeOf(err)
	doc, marshalErr := json.Marshal(struct {
		CNIVersion string `json:"cniVersion"`
		Code       uint   `json:"code"`
		Msg        string `json:"msg"`
	}{version, code, fmt.Sprintf("sluice-cni error %d: %s", code, oneLine(err.Error()))})
	if marshalErr != nil { // strings and a number always marshal
		panic(marshalErr)
	}
	return doc
}

// oneLine keeps a message readable where runtimes quote it.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// joinErrors is many errors as one text.
func joinErrors(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = oneLine(err.Error())
	}
	return strings.Join(texts, "; ")
}

func failf(code uint, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
