//go:build unix

package install

import (
	"errors"
	"syscall"
)

// isReadOnly reports whether err says that the file system is mounted read-only.
func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
