package xtables

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
)

// tableInfo is struct ipt_getinfo, which for IPv6 is the same
// (include/uapi/linux/netfilter_ipv4/ip_tables.h).
type tableInfo struct {
	name       [32]byte
	validHooks uint32
	hookEntry  [5]uint32
	underflow  [5]uint32
	numEntries uint32
	size       uint32
}

const getInfo = 64 // IPT_SO_GET_INFO and IP6T_SO_GET_INFO

// allUntouched says that existing legacy tables hold nothing but the policies
// of their built-in chains, as after someone's "iptables -L". False if that
// cannot be told, which takes NET_RAW.
func allUntouched(f iptables.Family, tables []iptables.Table) bool {
	if len(tables) == 0 {
		return true
	}
	domain, level := unix.AF_INET, unix.SOL_IP
	if f == iptables.V6 {
		domain, level = unix.AF_INET6, unix.SOL_IPV6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	for _, t := range tables {
		if !untouched(fd, level, t) {
			return false
		}
	}
	return true
}

// untouched: a fresh table has one entry for each hook's policy and one that
// marks the end.
func untouched(fd, level int, t iptables.Table) bool {
	var info tableInfo
	copy(info.name[:len(info.name)-1], t)
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), getInfo,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0) // #nosec G103: x/sys has no getsockopt with an argument
	return errno == 0 && int(info.numEntries) == bits.OnesCount32(info.validHooks)+1
}
