package xtables

import "errors"

// KindOf returns the kind of the first Error in err's chain, else Failed.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

// brief is an error's words alone, for a list of reasons.
func brief(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Words != "" {
		return e.Words
	}
	return err.Error()
}
