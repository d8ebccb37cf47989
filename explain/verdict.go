package explain

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/sluicemesh/sluice/iptables"
)

// sentence is the verdict on one way.
func (w account) sentence(way Way) string {
	dialled := target(w.start.packet)
	switch w.out.Fate {
	case iptables.Redirected:
		return "Captured: the connection goes to " + portWords(way) + "."
	case iptables.TProxied:
		return "Captured: the connection goes to " + portWords(way) + " by TPROXY, its source and destination unchanged."
	case iptables.Dropped:
		return "Dropped: the connection is not made." + w.lostCapture()
	case iptables.Unknown:
		return "Not known: the rules do something that sluice does not model."
	}
	if w.start.path == iptables.Arriving && !w.start.virtual {
		return "Not captured: the connection reaches port " + strconv.Itoa(int(w.start.packet.DstPort)) + " of the pod directly."
	}
	return "Not captured: the connection goes straight to " + dialled + "."
}

// lostCapture tells that a dropped connection had been captured before.
func (w account) lostCapture() string {
	for _, s := range w.steps {
		if t, ok := s.Rule.Target.(iptables.Redirect); ok && s.Answer == iptables.Yes {
			return fmt.Sprintf(" It was captured to port %d first; a later rule drops it.", t.Port)
		}
	}
	return ""
}

func portWords(way Way) string {
	port := strconv.Itoa(way.Port)
	switch way.Role {
	case Inbound:
		return "the proxy's inbound port " + port
	case Outbound:
		return "the proxy's outbound port " + port
	case DNS:
		return "the agent's DNS port " + port
	}
	return "the local port " + port
}

func target(p iptables.Packet) string {
	return netip.AddrPortFrom(p.Dst, uint16(p.DstPort)).String()
}

// notes are what the rules do not show, and the kernel will do all the same.
func (w account) notes(way Way) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	arriving := w.start.path == iptables.Arriving
	switch {
	case w.out.Fate == iptables.TProxied:
		note("TPROXY needs a transparent listener on port %d; without one the packet is dropped.", way.Port)
		w.routeNote(note)
	case w.out.Fate == iptables.Redirected && arriving && way.Role == Outbound:
		note("The interface needs an %s address: the kernel drops what is redirected on an interface without one.", w.start.rules.Family)
	}
	if w.comesBack() {
		note("The connection passes twice: it leaves, then arrives by lo. nat is not asked again for it there.")
	}
	if way.Zone != 0 {
		note("It is tracked in conntrack zone %d, apart from equal connections of the other side of DNS capture.", way.Zone)
	}
	if way.Role == Outbound && w.out.Fate == iptables.Redirected {
		note("What the proxy then opens for it is another connection: ask with --from proxy.")
	}
	return notes
}

func (w account) routeNote(note func(string, ...any)) {
	if c := w.subject.Config; c != nil {
		note("Its mark %#x is routed to this host by the policy rule to table %s, which sluice installs with the rules.", w.out.Mark, c.TProxyTable)
		return
	}
	note("It needs a policy rule for mark %#x and a local route in its table; these rules do not show whether they exist.", w.out.Mark)
}

func (w account) comesBack() bool {
	for _, s := range w.steps {
		if s.Path != w.start.path {
			return true
		}
	}
	return false
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
