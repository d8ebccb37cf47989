package xtables

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
)

// nftStanding asks the kernel for the names of all nf_tables chains of a family,
// by one NFT_MSG_GETCHAIN dump: no program, nothing created, a few microseconds.
func nftStanding(f iptables.Family) Standing {
	s := Standing{Flavour: NFT, Family: f, Asked: true}
	chains, err := nftChains(nfproto(f))
	switch {
	case err == nil:
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		s.Err = noCapability("NET_ADMIN")
		return s
	default:
		s.Err = &Error{
			Kind: Unusable, Op: "ask the kernel for nf_tables chains", Err: err,
			Hint: "this kernel has no nf_tables: use iptables-legacy",
		}
		return s
	}
	for _, c := range chains {
		s.add(c)
	}
	return s
}

func (s *Standing) add(c nftChain) {
	t := iptables.Table(c.table)
	known := false
	for _, k := range iptables.Tables() {
		known = known || k == t
	}
	if !known {
		return // not a table of iptables
	}
	if n := len(s.Tables); n == 0 || s.Tables[n-1] != t {
		s.Tables = append(s.Tables, t)
	}
	s.Own = s.Own || iptables.Own(t, c.name)
	s.Rules = s.Rules || c.used
}

func nfproto(f iptables.Family) uint8 {
	if f == iptables.V6 {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

// nftChain is what is wanted of a chain: used counts its rules and the jumps to it.
type nftChain struct {
	table, name string
	used        bool
}

// nftChains dumps the chains of one family.
func nftChains(family uint8) ([]nftChain, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return nil, err
	}
	if err := unix.Sendto(fd, dumpRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var chains []nftChain
	buf := make([]byte, 64<<10) // more than the kernel puts into one datagram of a dump
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		part, done, err := parseChains(buf[:n])
		chains = append(chains, part...)
		if done || err != nil {
			return chains, err
		}
	}
}

// dumpRequest is a struct nlmsghdr and a struct nfgenmsg.
func dumpRequest(family uint8) []byte {
	const length = unix.SizeofNlMsghdr + 4
	b := make([]byte, length)
	binary.NativeEndian.PutUint32(b, length)
	binary.NativeEndian.PutUint16(b[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETCHAIN)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[unix.SizeofNlMsghdr] = family
	return b
}

var errShort = errors.New("truncated netlink message")

// parseChains reads the messages of one datagram.
func parseChains(b []byte) (chains []nftChain, done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return chains, true, errShort
		}
		body := b[unix.SizeofNlMsghdr:length]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return chains, true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return chains, true, errShort
			}
			return chains, true, unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
		default:
			if len(body) >= 4 {
				chains = append(chains, parseChain(body[4:]))
			}
		}
		b = b[min(align4(length), len(b)):]
	}
	return chains, false, nil
}

// parseChain reads the attributes of one chain.
func parseChain(b []byte) nftChain {
	var c nftChain
	for len(b) >= 4 {
		length := int(binary.NativeEndian.Uint16(b))
		if length < 4 || length > len(b) {
			break
		}
		value := b[4:length]
		switch binary.NativeEndian.Uint16(b[2:]) &^ unix.NLA_F_NESTED {
		case unix.NFTA_CHAIN_TABLE:
			c.table = strings.TrimRight(string(value), "\x00")
		case unix.NFTA_CHAIN_NAME:
			c.name = strings.TrimRight(string(value), "\x00")
		case unix.NFTA_CHAIN_USE:
			c.used = len(value) == 4 && binary.BigEndian.Uint32(value) > 0
		}
		b = b[min(align4(length), len(b)):]
	}
	return c
}

func align4(n int) int { return (n + 3) &^ 3 }
