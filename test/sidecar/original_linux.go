package sidecar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// originalDestination asks conntrack where a connection went before a rule
// changed its destination. Without a conntrack entry, as where no rule of the
// namespace needs one, it is the socket's own address: nothing redirected it.
func originalDestination(c *net.TCPConn) (netip.AddrPort, error) {
	local := addrPort(c.LocalAddr())
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	original, ask := netip.AddrPort{}, ask4
	if local.Addr().Is6() {
		ask = ask6
	}
	err = errors.Join(raw.Control(func(fd uintptr) { original, err = ask(int(fd)) }), err)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOPROTOOPT) {
		return local, nil
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("original destination: %w", err)
	}
	return original, nil
}

// soOriginalDst is SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and
// IP6T_SO_ORIGINAL_DST of the IPv6 header, which has the same number.
const soOriginalDst = 80

// ask4 reads the 16 bytes of a sockaddr_in through a structure of 20, which
// x/sys/unix can fetch.
func ask4(fd int) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	b := m.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}

// ask6 reads the 28 bytes of a sockaddr_in6, with which this structure begins.
func ask6(fd int) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port := (*[2]byte)(unsafe.Pointer(&m.Addr.Port)) // in network order
	return netip.AddrPortFrom(netip.AddrFrom16(m.Addr.Addr), binary.BigEndian.Uint16(port[:])), nil
}
