package rig

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/sock"
)

// User is a uid and a primary gid, without supplementary groups.
type User struct {
	UID, GID uint32
}

// The users of most tests.
var (
	Root  = User{0, 0}
	App   = User{1000, 1000}
	Proxy = User{1337, 1337}
	// RootProxy is a proxy by its group only, as in TPROXY mode.
	RootProxy = User{0, 1337}
)

// DialTimeout bounds a connection attempt whose context has no deadline: long
// for a busy machine, short for a test that expects no answer.
const DialTimeout = 3 * time.Second

// Net opens sockets in the namespace as this user. All capabilities stay, so
// that a proxy of any uid can be transparent.
func (n *Namespace) Net(as User) sock.Net { return userNet{n, as} }

// Dial connects to a literal address from within the namespace as this user,
// within [DialTimeout]. At most one set of options.
func (n *Namespace) Dial(as User, network, to string, o ...sock.Options) (net.Conn, error) {
	return n.Net(as).Dial(context.Background(), network, to, append(o, sock.Options{})[0])
}

// Listen listens within the namespace as this user.
func (n *Namespace) Listen(as User, network, at string, o ...sock.Options) (net.Listener, error) {
	return n.Net(as).Listen(context.Background(), network, at, append(o, sock.Options{})[0])
}

type userNet struct {
	in *Namespace
	as User
}

func (u userNet) Dial(ctx context.Context, network, to string, o sock.Options) (c net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	err = u.do(func() error { c, err = sock.Host{}.Dial(ctx, network, to, o); return err })
	return c, err
}

func (u userNet) Listen(ctx context.Context, network, at string, o sock.Options) (l net.Listener, err error) {
	err = u.do(func() error { l, err = sock.Host{}.Listen(ctx, network, at, o); return err })
	if err != nil {
		return nil, err
	}
	return userListener{l, u.as}, nil
}

func (u userNet) ListenPacket(ctx context.Context, network, at string, o sock.Options) (c net.PacketConn, err error) {
	err = u.do(func() error { c, err = sock.Host{}.ListenPacket(ctx, network, at, o); return err })
	return c, err
}

func (u userNet) do(fn func() error) (err error) {
	enterErr := u.in.enter(func() { err = u.as.do(fn) })
	return errors.Join(enterErr, err)
}

// userListener opens the file of each accepted connection as its user: replies
// are packets of that file's owner.
type userListener struct {
	net.Listener
	as User
}

func (l userListener) Accept() (c net.Conn, err error) {
	err = l.as.do(func() error { c, err = l.Listener.Accept(); return err })
	return c, err
}

// do calls fn on a locked thread with the user's file system ids. They are a
// thread's own; the Go runtime never looks at them. The two calls report no
// error, only the value before: asking with -1 changes nothing and tells.
func (u User) do(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	uid, gid := fsids()
	defer setFSIDs(uid, gid)
	setFSIDs(int(u.UID), int(u.GID))
	if gotUID, gotGID := fsids(); gotUID != int(u.UID) || gotGID != int(u.GID) {
		return errors.New(rootMissing)
	}
	return fn()
}

// setFSIDs sets the gid first: with another fsuid it would still be allowed,
// but in this order no reader has to know why.
func setFSIDs(uid, gid int) {
	_ = unix.Setfsgid(gid)
	_ = unix.Setfsuid(uid)
}

func fsids() (uid, gid int) {
	uid, _ = unix.SetfsuidRetUid(-1)
	gid, _ = unix.SetfsgidRetGid(-1)
	return uid, gid
}
