package faults

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// always are the system calls that can change something outside of the process,
// whatever their arguments, or ask the kernel for what it may refuse.
var always = map[uint64]string{
	unix.SYS_SENDTO: "sendto", unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDMMSG: "sendmmsg",
	unix.SYS_SOCKET: "socket", unix.SYS_BIND: "bind", unix.SYS_CONNECT: "connect",
	unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg", unix.SYS_GETDENTS64: "getdents64",
	unix.SYS_EXECVE: "execve", unix.SYS_FORK: "fork", unix.SYS_VFORK: "vfork", unix.SYS_CLONE3: "clone3",
	unix.SYS_SETNS: "setns", unix.SYS_UNSHARE: "unshare", unix.SYS_FLOCK: "flock", unix.SYS_PIPE2: "pipe2",
	unix.SYS_RENAME: "rename", unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2",
	unix.SYS_UNLINK: "unlink", unix.SYS_UNLINKAT: "unlinkat", unix.SYS_MKDIR: "mkdir", unix.SYS_MKDIRAT: "mkdirat",
	unix.SYS_LINKAT: "linkat", unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_FTRUNCATE: "ftruncate", unix.SYS_FALLOCATE: "fallocate",
	unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHMODAT: "fchmodat", unix.SYS_FCHOWN: "fchown", unix.SYS_FCHOWNAT: "fchownat",
	unix.SYS_FSETXATTR: "fsetxattr", unix.SYS_LSETXATTR: "lsetxattr", unix.SYS_SETXATTR: "setxattr", unix.SYS_UTIMENSAT: "utimensat",
	unix.SYS_COPY_FILE_RANGE: "copy_file_range", unix.SYS_SENDFILE: "sendfile", unix.SYS_SPLICE: "splice", unix.SYS_PWRITE64: "pwrite64",
	unix.SYS_INOTIFY_INIT1: "inotify_init1", unix.SYS_INOTIFY_ADD_WATCH: "inotify_add_watch",
	unix.SYS_FSYNC: "fsync", unix.SYS_MOUNT: "mount", unix.SYS_PRCTL: "prctl",
	unix.SYS_CAPSET: "capset", unix.SYS_SETUID: "setuid", unix.SYS_SETGID: "setgid",
}

const (
	sockoptReplace     = 64 // IPT_SO_SET_REPLACE, IP6T_SO_SET_REPLACE
	sockoptAddCounters = 65
)

// effect names a system call if it is a step. Reading a file is one for the
// program under test only: the others open their libraries.
func effect(tid int, own bool, i syscallInfo) string {
	if name := always[i.Nr]; name != "" {
		return name
	}
	switch i.Nr {
	case unix.SYS_CLONE:
		if i.Args[0]&unix.CLONE_THREAD == 0 {
			return "clone"
		}
	case unix.SYS_SETSOCKOPT:
		level, name := i.Args[1], i.Args[2]
		if (level == unix.IPPROTO_IP || level == unix.IPPROTO_IPV6) && (name == sockoptReplace || name == sockoptAddCounters) {
			return "setsockopt replace"
		}
	case unix.SYS_OPENAT:
		if i.Args[2]&(unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC) != 0 {
			return "openat for writing"
		}
		if own {
			return "openat"
		}
	case unix.SYS_WRITE:
		return writes(tid, i.Args[0])
	}
	return ""
}

// writes leaves out the Go runtime's own wake-up calls.
func writes(tid int, fd uint64) string {
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, fd))
	if err != nil || strings.HasPrefix(to, "anon_inode:") {
		return ""
	}
	if fd <= 2 {
		return "write " + [...]string{"0", "stdout", "stderr"}[fd]
	}
	if strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "/") {
		return "write"
	}
	return ""
}
