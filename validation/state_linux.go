package validation

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/internal/caps"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// Gather looks at the calling thread's credentials and namespace. The families
// are those that are programmed there.
func Gather(ctx context.Context, families []iptables.Family, probe iptables.Port, attach bool) (Facts, error) {
	conn, err := netns.Dial()
	if err != nil {
		return Facts{}, err
	}
	defer conn.Close()
	look, err := conn.Look(ctx)
	if err != nil {
		return Facts{}, err
	}
	have, err := caps.Effective()
	if err != nil {
		return Facts{}, failed("look at this process", "", err)
	}
	uid, gid := fsids()
	f := Facts{UID: uid, GID: gid, Attach: attach, ProbePort: probe,
		SetIDs: have.Has(unix.CAP_SETUID, unix.CAP_SETGID), NetRaw: have.Has(unix.CAP_NET_RAW), NetAdmin: have.Has(unix.CAP_NET_ADMIN)}
	groups, err := groupMembers()
	if err != nil {
		return Facts{}, err
	}
	for _, family := range families {
		f.Families = append(f.Families, familyFacts(family, look, groups))
	}
	return f, nil
}

func familyFacts(family iptables.Family, look netns.Facts, groups map[string]bool) FamilyFacts {
	f := FamilyFacts{Family: family, Passthrough: family == iptables.V4}
	for _, a := range look.Addrs {
		addr := a.Prefix.Addr()
		if iptables.FamilyOf(addr) != family {
			continue
		}
		if addr == builder.Passthrough(family) {
			f.Passthrough = true
		}
		if !f.Addr.IsValid() && a.Dev != "lo" && addr.IsGlobalUnicast() && up(look, a.Dev) {
			f.Addr, f.Interface = addr, a.Dev
		}
	}
	// Interface-local scope needs no membership.
	f.AllHosts = family == iptables.V6 || groups[f.Interface]
	return f
}

func up(look netns.Facts, dev string) bool {
	for _, l := range look.Links {
		if l.Name == dev {
			return l.Up
		}
	}
	return false
}

// groupMembers are the interfaces that are in 224.0.0.1, from /proc/net/igmp:
// a line for each interface, with its groups on indented lines below.
func groupMembers() (map[string]bool, error) {
	file, err := os.Open("/proc/thread-self/net/igmp")
	if os.IsNotExist(err) { // a kernel without IP multicast: nobody is
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	members, dev := map[string]bool{}, ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 2:
		case lines.Text()[0] != '\t':
			dev = strings.TrimSuffix(fields[1], ":")
		case fields[0] == "010000E0" || fields[0] == "E0000001": // in the machine's byte order
			members[dev] = true
		}
	}
	return members, nil
}

// checkRoutes looks for what the inbound mark needs, whoever provides it.
func (r *run) checkRoutes(ctx context.Context, c Check) []Finding {
	conn, err := netns.Dial()
	if err != nil {
		return missing(err)
	}
	defer conn.Close()
	have, err := conn.Read(ctx)
	if err != nil {
		return missing(err)
	}
	want := netns.TProxy(uint32(r.config.TProxyMark), uint32(r.config.TProxyTable), c.Family)
	var findings []Finding
	for _, change := range netns.Reconcile(have, want) {
		if change.Verb == netns.Add {
			findings = append(findings, Finding{What: change.Item.Command(""), Want: "present", Got: "missing"})
		}
	}
	return findings
}

// socket is a listening TCP socket.
type socket struct {
	wildcard bool
	port     iptables.Port
	uid      uint32
}

// lookAtSockets: in attach mode somebody listens on each of the proxy's ports,
// and that is the proxy, as far as a socket shows its owner: the uid.
func (r *run) lookAtSockets(c Check) []Finding {
	sockets, err := listening(c.Family)
	if err != nil {
		return missing(err)
	}
	ports := []struct {
		name builder.Verdict
		port iptables.Port
	}{{builder.ToOut, r.config.OutboundPort}, {builder.ToIn, r.config.InboundPort}}
	if r.config.DNSOf(c.Family).On() {
		ports = append(ports, struct {
			name builder.Verdict
			port iptables.Port
		}{builder.ToDNS, r.config.DNSPort})
	}
	var findings []Finding
	for _, p := range ports {
		if got := r.occupant(sockets, p.port); got != "" {
			findings = append(findings, Finding{What: fmt.Sprintf("%s port tcp %d", p.name, p.port), Want: "the proxy, listening", Got: got})
		}
	}
	return findings
}

// occupant is who is wrong on a port; "" if the proxy is there.
func (r *run) occupant(sockets []socket, port iptables.Port) string {
	got := "nobody"
	for _, s := range sockets {
		if s.port != port {
			continue
		}
		// A proxy by its group shows uid 0: TPROXY's runs as root.
		if r.config.ProxyUIDs.Contains(s.uid) || s.uid == 0 && len(r.config.ProxyGIDs) > 0 {
			return ""
		}
		got = fmt.Sprintf("somebody with uid %d", s.uid)
	}
	return got
}

// listening are the listeners that a connection of the family can reach. One on
// the IPv6 wildcard commonly takes both families.
func listening(f iptables.Family) ([]socket, error) {
	var all []socket
	for _, name := range []string{"tcp", "tcp6"} {
		list, err := readSockets("/proc/thread-self/net/" + name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if (name == "tcp6") == (f == iptables.V6) || name == "tcp6" && s.wildcard {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// readSockets reads the listening lines of /proc/net/tcp: number, local
// address, remote address, state, and further on the uid.
func readSockets(path string) ([]socket, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	const listen, stateAt, uidAt = "0A", 3, 7
	var list []socket
	for _, line := range strings.Split(string(b), "\n") {
		fields := strings.Fields(line)
		if len(fields) <= uidAt || fields[stateAt] != listen {
			continue
		}
		host, port, ok := strings.Cut(fields[1], ":")
		number, portErr := hex.DecodeString(port)
		uid, uidErr := strconv.ParseUint(fields[uidAt], 10, 32)
		if !ok || portErr != nil || uidErr != nil || len(number) != 2 {
			continue
		}
		wildcard := strings.Trim(host, "0") == ""
		list = append(list, socket{wildcard, iptables.Port(number[0])<<8 | iptables.Port(number[1]), uint32(uid)})
	}
	return list, nil
}
