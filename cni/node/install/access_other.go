//go:build !linux

package install

import "errors"

// access is a question for Linux hosts only.
func access(string) error { return errors.ErrUnsupported }
