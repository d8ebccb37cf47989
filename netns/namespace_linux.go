package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	nsfd "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is an open network namespace. It keeps the namespace alive until
// Close, and stays the same one whatever happens to the path it came from.
type Namespace struct {
	target Target
	handle nsfd.NsHandle
	id     ID
}

// Open opens the target and makes sure that it is a network namespace. The
// caller closes it.
func Open(target Target) (*Namespace, error) {
	fd, err := openFirst(target.paths())
	if err != nil {
		return nil, &Error{Op: "open the network namespace", Target: target.String(), Err: err, Hint: openHint(err)}
	}
	id, err := identify(fd)
	if err != nil {
		unix.Close(fd)
		return nil, &Error{Op: "open the network namespace", Target: target.String(), Err: err}
	}
	return &Namespace{target: target, handle: nsfd.NsHandle(fd), id: id}, nil
}

// openFirst opens the first path that exists. O_NONBLOCK, or a pipe by that
// name would hang the caller.
func openFirst(paths []string) (fd int, err error) {
	for _, path := range paths {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return fd, err
}

func openHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such process, name or file: `ip netns` lists names, `lsns -t net` processes"
	case errors.Is(err, fs.ErrPermission):
		return "another user's process shows its namespace only to CAP_SYS_PTRACE"
	}
	return ""
}

// identify reads the kind and the identity of an open namespace file.
func identify(fd int) (ID, error) {
	var disk unix.Statfs_t
	if err := unix.Fstatfs(fd, &disk); err != nil {
		return ID{}, err
	}
	if disk.Type != unix.NSFS_MAGIC {
		return ID{}, ErrNoNamespace
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err == nil && kind != unix.CLONE_NEWNET {
		err = fmt.Errorf("this is a namespace of another kind (%#x)", kind)
	}
	if err != nil {
		return ID{}, err
	}
	return statID(fd)
}

func statID(fd int) (ID, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return ID{Dev: st.Dev, Ino: st.Ino}, err
}

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.handle.Close() }

// ID identifies the namespace.
func (n *Namespace) ID() ID { return n.id }

// Do runs fn in the namespace, on a thread of its own, and returns its error.
// Entering takes CAP_SYS_ADMIN, but in the namespace that the process is in
// already nothing is entered and nothing is needed. See the package comment for
// what fn may start.
func (n *Namespace) Do(fn func() error) error {
	result := make(chan error, 1)
	go n.onThread(fn, result)
	return <-result
}

// onThread runs on a goroutine of its own. While it holds the process's first
// thread, a goroutine that it starts must get another.
func (n *Namespace) onThread(fn func() error, result chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		result <- n.Do(fn)
		runtime.UnlockOSThread()
		return
	}
	restored := false
	err := error(&Error{Op: "work in the network namespace", Target: n.target.String(), Err: errors.New("the function ended its goroutine")})
	defer func() {
		if restored {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	restored, err = n.visit(fn)
}

// visit moves the calling thread in, runs fn and moves it back, and says
// whether the thread is fit for others again.
func (n *Namespace) visit(fn func() error) (restored bool, err error) {
	home, err := nsfd.Get()
	if err != nil {
		return true, n.failed(err)
	}
	defer home.Close()
	if id, err := statID(int(home)); err == nil && id == n.id {
		return true, fn()
	}
	if err := nsfd.Set(n.handle); err != nil {
		return true, n.failed(err)
	}
	err = fn()
	return nsfd.Set(home) == nil, err
}

func (n *Namespace) failed(err error) error {
	hint := ""
	if errors.Is(err, unix.EPERM) {
		hint = "entering takes CAP_SYS_ADMIN here and in the user namespace that owns it"
	}
	return &Error{Op: "enter the network namespace", Target: n.target.String(), Err: err, Hint: hint}
}

// Own identifies the network namespace this process was started in: that of
// its first thread, which Do never moves.
func Own() (ID, error) { return pathID("/proc/self/ns/net") }

// Host identifies the network namespace of process 1. In a container with
// process ids of its own that is the container's first process. Reading it
// takes CAP_SYS_PTRACE unless the process is one's own, and may be refused even
// then; RefuseHost works all the same.
func Host() (ID, error) { return pathID("/proc/1/ns/net") }

func pathID(path string) (ID, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return ID{}, &Error{Op: "identify the network namespace", Target: path, Err: err}
	}
	return ID{Dev: st.Dev, Ino: st.Ino}, nil
}

// RefuseOwn returns a *HostError if this is the namespace that the process was
// started in.
func (n *Namespace) RefuseOwn() error {
	own, err := Own()
	if err != nil {
		return err
	}
	return refuse(n.target.String(), n.id, own, "this process")
}

// RefuseHost returns a *HostError if this is the namespace of process 1, and an
// error if that cannot be found out.
func (n *Namespace) RefuseHost() error {
	host, err := Host()
	if errors.Is(err, fs.ErrPermission) {
		return n.refuseListing("/proc/1/net/dev")
	}
	if err != nil {
		return err
	}
	return refuse(n.target.String(), n.id, host, "process 1")
}

// refuseListing compares without asking for the identity of another's
// namespace, which a security module may keep from root too: proc makes the
// files under net anew for each namespace, with inodes of their own, and shows
// those of any process to everybody.
func (n *Namespace) refuseListing(other string) error {
	theirs, err := pathID(other)
	if err != nil {
		return err
	}
	return n.Do(func() error {
		mine, err := pathID("/proc/thread-self/net/dev")
		if err != nil || mine != theirs {
			return err
		}
		return &HostError{Target: n.target.String(), ID: n.id, Whose: "process 1"}
	})
}
