package validation

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// actAs calls fn with the identity's file system ids, which are those that an
// owner match reads from what fn opens. They belong to the thread, so it is
// locked, and to this call, so they are put back. fn must not start goroutines.
func actAs(id Identity, fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	uid, gid := fsids()
	if uid == id.UID && gid == id.GID {
		return fn()
	}
	defer setIDs(uid, gid)
	setIDs(id.UID, id.GID)
	if u, g := fsids(); u != id.UID || g != id.GID {
		return failed("act as", id.String(), unix.EPERM)
	}
	return fn()
}

// setIDs reports nothing: the two calls answer with the ids before.
func setIDs(uid, gid uint32) {
	_ = unix.Setfsgid(int(int32(gid)))
	_ = unix.Setfsuid(int(int32(uid)))
}

func fsids() (uid, gid uint32) {
	u, _ := unix.SetfsuidRetUid(-1)
	g, _ := unix.SetfsgidRetGid(-1)
	return uint32(u), uint32(g)
}
