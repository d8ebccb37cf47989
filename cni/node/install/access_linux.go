package install

import "golang.org/x/sys/unix"

// access asks the kernel whether files of a folder can be changed, without
// changing anything; it knows of read-only mounts.
func access(here string) error { return unix.Access(here, unix.W_OK) }
