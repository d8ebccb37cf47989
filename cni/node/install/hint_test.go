package install

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// cmd/sluice-node has the same from a real kernel, with fewer capabilities.
func TestARefusalOfTheSystemComesWithWhatToDoAboutIt(t *testing.T) {
	on := func(op string, err error) error {
		return fmt.Errorf("write beside x: %w", &fs.PathError{Op: op, Path: "x", Err: err})
	}
	for _, tc := range []struct {
		err  error
		says string
	}{
		{on("open", syscall.EROFS), "; mount the folder writable, or name another with --bin-dir"},
		{on("chown", syscall.EROFS), "--bin-dir"},
		{on("chown", syscall.EPERM), "capability CHOWN"},
		{on("open", syscall.EACCES), "capability DAC_OVERRIDE"},
		{on("chown", syscall.EACCES), "capability DAC_OVERRIDE"},
		{on("open", syscall.EPERM), "immutable"},
		{syscall.EPERM, "immutable"},
		{on("chown", syscall.EIO), ""},
		{on("write", syscall.ENOSPC), ""},
		{errors.New("x"), ""},
	} {
		if got := hint(tc.err, "--bin-dir"); !strings.Contains(got, tc.says) || (got == "") != (tc.says == "") {
			t.Errorf("%v: got %q, want %q", tc.err, got, tc.says)
		}
	}
}

func TestAFolderIsCalledByWhatTheKernelSaysAboutIt(t *testing.T) {
	for err, want := range map[error]Found{nil: Usable, syscall.EROFS: Locked, syscall.EACCES: Denied, syscall.EPERM: Denied} {
		if got := found(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}
