package netns

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Owner identifies the user namespace that owns this network namespace, and
// says whether it is the one this process is in. The kernel answers EPERM if it
// is neither that nor a descendant of it (ioctl_ns(2)).
func (n *Namespace) Owner() (id ID, ours bool, err error) {
	fd, err := n.ownerFD()
	if err != nil {
		return ID{}, false, err
	}
	defer unix.Close(fd)
	if id, err = statID(fd); err != nil {
		return ID{}, false, err
	}
	own, err := pathID("/proc/self/ns/user")
	return id, id == own, err
}

func (n *Namespace) ownerFD() (int, error) {
	fd, err := unix.IoctlRetInt(int(n.handle), unix.NS_GET_USERNS)
	if err != nil {
		return -1, &Error{Op: "find the user namespace that owns", Target: n.target.String(), Err: err}
	}
	unix.CloseOnExec(fd)
	return fd, nil
}

// UserEntry is a way into the user namespace that owns a network namespace, for
// the processes that load owner matches there.
type UserEntry struct{ owner *os.File }

// UserEntry opens the way into the owner of the namespace. The entry of an
// owner that is this process's own user namespace is empty and costs nothing.
// The caller closes it after the last process has been started and has ended.
func (n *Namespace) UserEntry() (UserEntry, error) {
	_, ours, err := n.Owner()
	if err != nil || ours {
		return UserEntry{}, err
	}
	fd, err := n.ownerFD()
	if err != nil {
		return UserEntry{}, err
	}
	return UserEntry{os.NewFile(uintptr(fd), "user namespace")}, nil
}

// Prefix is what to put before a command line so that it runs as that user
// namespace's root: nsenter from util-linux or busybox, which has one thread
// and so may enter. It is empty if nothing is to be entered: owner matches of
// nf_tables can be loaded from outside in any case. The command has to
// be started inside [Namespace.Do].
func (e UserEntry) Prefix() []string {
	if e.owner == nil {
		return nil
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), e.owner.Fd())
	return []string{"nsenter", "-U" + path, "-S", "0", "-G", "0", "--"}
}

// Close lets go of the user namespace.
func (e UserEntry) Close() error {
	if e.owner == nil {
		return nil
	}
	return e.owner.Close()
}
