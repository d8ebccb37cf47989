package netns

import (
	"context"
	"errors"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
)

// Hop asks the kernel how the namespace sends an unmarked packet to an address.
// That there is no way is no error: the zero Hop. It changes nothing and takes
// no capability.
func (c *Conn) Hop(ctx context.Context, to netip.Addr) (Hop, error) {
	if err := c.sock.Limit(ctx); err != nil {
		return Hop{}, err
	}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.RTA_DST, to.AsSlice())
	header := []byte{0: af(iptables.FamilyOf(to)), 1: byte(to.BitLen()), unix.SizeofRtMsg - 1: 0}
	request, err := body(header, ae)
	if err != nil {
		return Hop{}, err
	}
	msgs, err := c.exchange(unix.RTM_GETROUTE, unix.NLM_F_ACK, request)
	switch {
	case noWay(err):
		return Hop{}, nil
	case err != nil:
		return Hop{}, &Error{Op: "ask for the route to " + to.String(), Err: err}
	}
	links, err := c.links()
	if err != nil || len(msgs) == 0 {
		return Hop{}, err
	}
	return parseHop(msgs[0].Data, links)
}

// noWay reports the answers of a namespace that sends nothing there: no route,
// or one of type unreachable, prohibit or blackhole (fib_props in
// net/ipv4/fib_semantics.c).
func noWay(err error) bool {
	for _, errno := range []unix.Errno{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.EINVAL} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return notThere(err)
}

// parseHop decodes the answer. IPv6 has routes of the refusing types answered
// like any other (inet6_rtm_getroute in net/ipv6/route.c).
func parseHop(data []byte, links []Link) (h Hop, err error) {
	ad, err := attributes(data, unix.SizeofRtMsg)
	if err != nil {
		return Hop{}, at("a route", err)
	}
	switch data[7] {
	case unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT, unix.RTN_BLACKHOLE:
		return Hop{}, nil
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_OIF:
			h.Interface = linkName(links, ad.Uint32())
		case unix.RTA_PREFSRC:
			h.Source, _ = netip.AddrFromSlice(ad.Bytes())
		}
	}
	return h, ad.Err()
}

func linkName(links []Link, index uint32) string {
	for _, l := range links {
		if l.Index == index {
			return l.Name
		}
	}
	return devName(index)
}
