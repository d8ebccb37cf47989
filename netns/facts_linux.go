package netns

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/kernfile"
)

const sysctlIPv6 = "/proc/sys/net/ipv6/conf"

// Look gathers the facts of the namespace. It reads /proc/sys, so it has to
// be called inside [Namespace.Do]; the kernel shows each thread its own.
func (c *Conn) Look(ctx context.Context) (Facts, error) {
	f, _, err := c.look(ctx)
	return f, err
}

// Survey is Look and Read, with every list asked for once.
func (c *Conn) Survey(ctx context.Context) (f Facts, p Plumbing, err error) {
	f, routes, err := c.look(ctx)
	if err != nil {
		return Facts{}, Plumbing{}, err
	}
	if p.Routes, err = ourRoutes(routes); err != nil {
		return Facts{}, Plumbing{}, err
	}
	p.Addrs = sixOf(f.Addrs)
	p.Rules, err = c.rules()
	return f, p, err
}

// look returns the facts, and the list of routes that it has read for them.
func (c *Conn) look(ctx context.Context) (f Facts, routes []message, err error) {
	if err := c.sock.Limit(ctx); err != nil {
		return Facts{}, nil, err
	}
	if f.IPv6, f.IPv6Off, err = ipv6Status(); err != nil {
		return Facts{}, nil, err
	}
	if f.Links, err = c.links(); err != nil {
		return Facts{}, nil, err
	}
	if f.Addrs, err = c.addrs(0); err != nil {
		return Facts{}, nil, err
	}
	nameDevs(f.Addrs, f.Links)
	if routes, err = c.routes(); err != nil {
		return Facts{}, nil, err
	}
	f.IPv6Default = slices.ContainsFunc(routes, leadsOut)
	return f, routes, nil
}

// ipv6Status reads disable_ipv6 of every interface. "all" is the last value
// written to all of them at once, so it decides nothing by itself.
func ipv6Status() (IPv6Status, []string, error) {
	dirs, err := os.ReadDir(sysctlIPv6)
	if errors.Is(err, fs.ErrNotExist) {
		return IPv6Absent, nil, nil
	}
	if err != nil {
		return 0, nil, &Error{Op: "read the IPv6 settings", Err: err}
	}
	status, off := IPv6Disabled, []string(nil)
	for _, dir := range dirs {
		value, err := kernfile.Read(sysctlIPv6+"/"+dir.Name()+"/disable_ipv6", 16)
		switch {
		case errors.Is(err, fs.ErrNotExist): // the interface has just gone
		case err != nil:
			return 0, nil, &Error{Op: "read the IPv6 settings", Err: err}
		case strings.TrimSpace(string(value)) != "0":
			off = append(off, dir.Name())
		case dir.Name() != "all":
			status = IPv6Enabled
		}
	}
	return status, off, nil
}

func (c *Conn) links() ([]Link, error) {
	msgs, err := c.dump(unix.RTM_GETLINK, "interfaces", string(make([]byte, unix.SizeofIfInfomsg)))
	var links []Link
	for _, m := range msgs {
		ad, err := attributes(m.Data, unix.SizeofIfInfomsg)
		if err != nil {
			return nil, at("interfaces", err)
		}
		l := Link{
			Index: native.Uint32(m.Data[4:]),
			Up:    native.Uint32(m.Data[8:])&unix.IFF_UP != 0,
		}
		for ad.Next() {
			if ad.Type() == unix.IFLA_IFNAME {
				l.Name = ad.String()
			}
		}
		links = append(links, l)
	}
	return links, err
}

// nameDevs replaces the numbers that addrs left where a name belongs.
func nameDevs(addrs []Addr, links []Link) {
	names := map[string]string{}
	for _, l := range links {
		names[devName(l.Index)] = l.Name
	}
	for i, a := range addrs {
		if name := names[a.Dev]; name != "" {
			addrs[i].Dev = name
		}
	}
}

// leadsOut recognises a default IPv6 route that leads out: unicast, as opposed
// to unreachable or to our local one.
func leadsOut(route message) bool {
	d := route.Data
	return len(d) >= unix.SizeofRtMsg && d[0] == unix.AF_INET6 && d[1] == 0 && d[7] == unix.RTN_UNICAST
}
