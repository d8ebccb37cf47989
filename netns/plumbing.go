package netns

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Protocol is the rtnetlink protocol number on every rule, route and address
// of ours, by which they are found again. It is in the range that
// include/uapi/linux/rtnetlink.h leaves to user space.
const Protocol = 201

// Plumbing is what makes marked packets arrive locally: what is wanted, or what
// was found. The zero value is nothing at all.
type Plumbing struct {
	Rules  []Rule
	Routes []Route
	Addrs  []Addr
}

// Rule sends packets with a mark to a routing table.
type Rule struct {
	Family   iptables.Family
	Mark     uint32
	Mask     uint32 // bits of the mark that count, normally all
	Table    uint32
	Protocol uint8
	Priority uint32 // found: its place; wanted: 0, the kernel chooses
	Also     string // found: selectors we never set; such a rule equals no wanted one
	raw      string // found: the kernel's own message, to delete or restore exactly
}

// Route makes a destination local.
type Route struct {
	Dst      netip.Prefix // its family is the route's
	Dev      string
	Table    uint32
	Protocol uint8
	Also     string
	raw      string
}

// Addr is an address on an interface.
type Addr struct {
	Prefix   netip.Prefix
	Dev      string
	Protocol uint8 // see Ours
	raw      string
}

// MarkRule is our rule: packets of a family with exactly this mark use table.
func MarkRule(f iptables.Family, mark, table uint32) Rule {
	return Rule{Family: f, Mark: mark, Mask: 0xffffffff, Table: table, Protocol: Protocol}
}

// LocalDefault is our route: every destination of a family is local, in table.
func LocalDefault(f iptables.Family, table uint32) Route {
	return Route{Dst: f.Any(), Dev: "lo", Table: table, Protocol: Protocol}
}

// SixAddr is ::6/128 on lo, the address from which a proxy hands an inbound
// IPv6 connection to the application. (127.0.0.6 needs none: all of 127/8 is
// local.)
func SixAddr() Addr {
	return Addr{Prefix: iptables.Host(six), Dev: "lo", Protocol: Protocol}
}

var six = netip.AddrFrom16([16]byte{15: 6})

// TProxy is the rule and the route for each family, as TPROXY mode needs them.
func TProxy(mark, table uint32, families ...iptables.Family) Plumbing {
	var p Plumbing
	for _, f := range families {
		p.Rules = append(p.Rules, MarkRule(f, mark, table))
		p.Routes = append(p.Routes, LocalDefault(f, table))
	}
	return p
}

// Item is a Rule, a Route or an Addr.
type Item interface {
	// Ours says whether clean removes it.
	Ours() bool
	// Command is the iproute2 command line for a verb, "add" or "del", or
	// the item in those words if the verb is empty.
	Command(verb string) string
	key() Item // what makes two of them the same wish
}

// Ours reports whether the rule carries our protocol number.
func (r Rule) Ours() bool { return r.Protocol == Protocol }

// Ours reports whether the route carries our protocol number.
func (r Route) Ours() bool { return r.Protocol == Protocol }

// Ours reports whether the address carries our protocol number. Before Linux
// 5.18 addresses carry none: there ::6/128 on lo counts as ours.
func (a Addr) Ours() bool { return a.Protocol == Protocol }

// String is the command line that makes the rule.
func (r Rule) String() string { return r.Command("add") }

// String is the command line that makes the route.
func (r Route) String() string { return r.Command("add") }

// String is the command line that makes the address.
func (a Addr) String() string { return a.Command("add") }

// Command implements [Item].
func (r Rule) Command(verb string) string {
	mark := fmt.Sprintf("fwmark %#x", r.Mark)
	if r.Mask != 0xffffffff {
		mark += fmt.Sprintf("/%#x", r.Mask)
	}
	pref := ""
	if r.Priority != 0 {
		pref = fmt.Sprintf("pref %d", r.Priority)
	}
	return words("ip", flag(r.Family), "rule", verb, pref, r.Also, mark,
		fmt.Sprintf("lookup %d protocol %d", r.Table, r.Protocol))
}

// Command implements [Item].
func (r Route) Command(verb string) string {
	return words("ip", flag(r.family()), "route", verb, "local", r.Dst.String(), "dev", r.Dev,
		fmt.Sprintf("table %d protocol %d", r.Table, r.Protocol), r.Also)
}

// Command implements [Item]. It leaves the protocol out, which iproute2 before
// 6.3 cannot set.
func (a Addr) Command(verb string) string {
	command := words("ip", flag(a.family()), "addr", verb, a.Prefix.String(), "dev", a.Dev)
	if verb == "add" && a.family() == iptables.V6 { // usable at once: see addrBody
		command += " nodad"
	}
	return command
}

func (r Rule) key() Item {
	r.Priority, r.Protocol, r.raw = 0, 0, ""
	return r
}

func (r Route) key() Item {
	r.Protocol, r.raw = 0, ""
	return r
}

func (a Addr) key() Item {
	a.Protocol, a.raw = 0, ""
	return a
}

func (r Route) family() iptables.Family { return iptables.FamilyOf(r.Dst.Addr()) }

func (a Addr) family() iptables.Family { return iptables.FamilyOf(a.Prefix.Addr()) }

// flag is the option of ip(8).
func flag(f iptables.Family) string { return fmt.Sprintf("-%d", f) }

func words(w ...string) string {
	kept := w[:0]
	for _, s := range w {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}
