package builder

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Resolver is a DNS server whose queries are captured. A link-local address
// belongs to the interface by which it is reached.
type Resolver struct {
	Addr      netip.Addr // without zone
	Interface string     // "" unless the address was scoped
}

// String is the form of resolv.conf: "192.0.2.53", "fe80::1%eth0".
func (r Resolver) String() string {
	if r.Interface == "" {
		return r.Addr.String()
	}
	return r.Addr.String() + "%" + r.Interface
}

const acceptedResolver = "an IP address, with %interface for a link-local one"

func parseResolver(item string) (Resolver, error) {
	a, err := netip.ParseAddr(item)
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		return Resolver{}, &ValueError{item, "not the address of a DNS server", acceptedResolver}
	}
	if zone := a.Zone(); zone != "" {
		if _, err := parseInterface(zone); err != nil {
			return Resolver{}, &ValueError{item, "the zone is no interface name", acceptedResolver}
		}
		return Resolver{a.WithZone(""), zone}, nil
	}
	return Resolver{Addr: a.Unmap()}, nil
}

// parseResolvers accepts a comma list of server addresses.
func parseResolvers(text string) ([]Resolver, []string, error) {
	list, notes, err := parseList(text, func(item string) (Resolver, note, error) {
		r, err := parseResolver(item)
		return r, "", err
	})
	var unique []Resolver
	for _, r := range list {
		unique = appendNew(unique, r)
	}
	return unique, notes, err
}

// maxResolvConf bounds what is read of a resolv.conf, which pods control.
const maxResolvConf = 1 << 20

// parseResolvConf reads the nameserver lines of a resolv.conf (resolv.conf(5)),
// deduplicated. A line that is no address is a note with its number; no server
// left at all is an error.
func parseResolvConf(text string) ([]Resolver, []string, error) {
	if len(text) > maxResolvConf {
		return nil, nil, &ValueError{fmt.Sprintf("%d bytes", len(text)), "resolv.conf is too large", "at most 1 MiB"}
	}
	var servers []Resolver
	var notes []note
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "nameserver" {
			continue
		}
		r, err := parseNameserver(fields)
		if err != nil {
			notes = append(notes, fmt.Sprintf("line %d ignored: %q: %v", i+1, strings.TrimSpace(line), err))
			continue
		}
		servers = appendNew(servers, r)
	}
	if len(servers) == 0 {
		return nil, notes, &ValueError{strings.Join(notes, "; "), "no usable nameserver line", "at least one line: nameserver ADDRESS"}
	}
	return servers, notes, nil
}

func parseNameserver(fields []string) (Resolver, error) {
	if len(fields) < 2 {
		return Resolver{}, &ValueError{"", "nameserver without an address", acceptedResolver}
	}
	return parseResolver(fields[1])
}

// DNS says which queries are captured. The zero value captures none.
type DNS struct {
	All     bool       // queries to any server
	Servers []Resolver // queries to these; ignored with All
}

// Of is what is captured in one family: no resolver of it, no capture.
func (d DNS) Of(f iptables.Family) DNS {
	if d.All {
		return DNS{All: true}
	}
	var of DNS
	for _, r := range d.Servers {
		if iptables.FamilyOf(r.Addr) == f {
			of.Servers = append(of.Servers, r)
		}
	}
	return of
}

// On says whether anything is captured.
func (d DNS) On() bool { return d.All || len(d.Servers) > 0 }

// Captures says whether a query to an address by an interface is captured.
func (d DNS) Captures(to netip.Addr, by string) bool {
	if d.All {
		return true
	}
	for _, r := range d.Servers {
		if r.Addr == to && (r.Interface == "" || r.Interface == by) {
			return true
		}
	}
	return false
}
