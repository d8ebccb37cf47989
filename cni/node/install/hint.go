package install

import (
	"errors"
	"io/fs"
	"syscall"
)

// hint says what a person can do about a refusal of the system, by what was
// refused; folder is the flag that names the folder. Root without capabilities
// is refused what is not root's own.
func hint(err error, folder string) string {
	var call *fs.PathError
	switch {
	case errors.Is(err, syscall.EROFS):
		return "; mount the folder writable, or name another with " + folder
	case errors.As(err, &call) && call.Op == "chown" && errors.Is(err, syscall.EPERM):
		return "; the file is not root's own, and keeping its owner takes the capability CHOWN"
	case errors.Is(err, syscall.EACCES):
		return "; what is not root's own takes the capability DAC_OVERRIDE, or SELinux or AppArmor forbids it"
	case errors.Is(err, syscall.EPERM):
		return "; the file or its folder may be immutable (lsattr) or the folder sticky"
	}
	return ""
}
