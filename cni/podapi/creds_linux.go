package podapi

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// CheckFolder tells whether the socket at path may be trusted: its folder must
// be a real folder (no symlink), owned by root, closed to everyone else.
// Whoever could write there could put a socket of his own in its place and
// answer that no pod is in the mesh.
func CheckFolder(path string) error {
	const op = "check the folder of"
	info, err := os.Lstat(filepath.Dir(path))
	if err != nil {
		return failure(op, path, err)
	}
	if err := rootOnly(info); err != nil {
		return &Error{Kind: Untrusted, Op: op, Path: path, Err: err}
	}
	return nil
}

func rootOnly(info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.IsDir():
		return fmt.Errorf("%s is no folder", info.Name())
	case stat.Uid != 0:
		return fmt.Errorf("%s is owned by uid %d", info.Name(), stat.Uid)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s has mode %04o", info.Name(), info.Mode().Perm())
	}
	return nil
}

// checkPeer refuses everyone but root. The kernel recorded who connected; the
// peer has no say in it.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	switch {
	case err != nil:
		return err
	case credErr != nil:
		return credErr
	case cred.Uid != 0:
		return fmt.Errorf("peer is uid %d (pid %d), want 0", cred.Uid, cred.Pid)
	}
	return nil
}
