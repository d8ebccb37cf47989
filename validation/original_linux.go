package validation

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// originalDst is SO_ORIGINAL_DST (linux/netfilter_ipv4.h) and, the same number,
// IP6T_SO_ORIGINAL_DST (linux/netfilter_ipv6/ip6_tables.h).
const originalDst = 80

// originalDestination asks conntrack. Without an entry nothing redirected the
// connection, and its own address is the answer.
func originalDestination(c *net.TCPConn, local netip.AddrPort) (netip.AddrPort, error) {
	control, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	level := unix.SOL_IP
	if local.Addr().Is6() {
		level = unix.SOL_IPV6
	}
	var address [28]byte // a sockaddr_in6; a sockaddr_in is shorter
	var errno unix.Errno
	err = control.Control(func(fd uintptr) {
		size := uint32(len(address))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), originalDst,
			uintptr(unsafe.Pointer(&address)), uintptr(unsafe.Pointer(&size)), 0)
	})
	switch {
	case err != nil:
		return netip.AddrPort{}, err
	case errors.Is(errno, unix.ENOENT), errors.Is(errno, unix.ENOPROTOOPT):
		return local, nil
	case errno != 0:
		return netip.AddrPort{}, errno
	}
	return socketAddress(address), nil
}

// socketAddress reads family, port and address as the kernel lays them out.
func socketAddress(b [28]byte) netip.AddrPort {
	port := binary.BigEndian.Uint16(b[2:])
	if binary.NativeEndian.Uint16(b[:]) == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
}
