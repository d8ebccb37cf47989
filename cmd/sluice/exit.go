package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
)

// The exit codes. They are documented and stable.
const (
	exitDone      = 0   // done, or nothing to do
	exitFailed    = 1   // failed while running; the state before is back
	exitDifferent = 2   // check and diff: drift, or a difference
	exitUsage     = 64  // bad settings (EX_USAGE)
	exitNoBackend = 69  // no usable backend, or the kernel lacks a feature (EX_UNAVAILABLE)
	exitBusy      = 75  // lock or resource busy: try again (EX_TEMPFAIL)
	exitNoRights  = 77  // a capability is missing (EX_NOPERM)
	exitInvalid   = 126 // validation failed; repair controllers look for it
)

// exitError is an outcome that is no failure but has its own exit code. The
// answer has been printed; there is nothing to add.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var (
		own      exitError
		usage    *usageError
		problems builder.Problems
		problem  *builder.Problem
		manifest manifestErrors
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return int(own)
	case errors.As(err, &usage), errors.As(err, &problems), errors.As(err, &problem),
		errors.As(err, &manifest):
		return exitUsage
	}
	switch interception.KindOf(err) {
	case interception.Busy:
		return exitBusy
	case interception.Unavailable:
		return exitNoBackend
	case interception.Forbidden:
		return exitNoRights
	case interception.Refused:
		return exitUsage
	}
	return exitFailed
}

// report prints an error for a person and returns the exit code.
func report(stderr io.Writer, err error) int {
	code := exitCode(err)
	var own exitError
	if code != exitDone && !errors.As(err, &own) {
		_, _ = fmt.Fprintln(stderr, "sluice: "+message(err)) // stderr is the last resort
	}
	return code
}

// reportLine is report for whoever collects lines of JSON.
func reportLine(stderr io.Writer, err error) int {
	var text strings.Builder
	code := report(&text, err)
	if text.Len() > 0 {
		logger{w: stderr, level: levelError, json: true, now: time.Now}.line(levelError, "%s", strings.TrimSpace(text.String()))
	}
	return code
}

func message(err error) string {
	var usage *usageError
	var problems builder.Problems
	switch {
	case errors.As(err, &problems):
		return problemList(problems)
	case errors.As(err, &usage):
		return err.Error() + "\nRun 'sluice --help' for the commands, 'sluice COMMAND --help' for its flags."
	case errors.Is(err, context.Canceled):
		return "interrupted: " + err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "out of time (--timeout gives more): " + err.Error()
	}
	return err.Error()
}

func problemList(problems builder.Problems) string {
	var b strings.Builder
	if len(problems) == 1 {
		return "refused: " + problems[0].Error()
	}
	fmt.Fprintf(&b, "%d settings are refused:", len(problems))
	for _, p := range problems {
		b.WriteString("\n  " + p.Error())
	}
	return b.String()
}
