package explain

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// first is the first packet of the connection, its path, and what was assumed.
type first struct {
	packet   iptables.Packet
	path     iptables.Path
	assumed  []string
	question Question
	rules    iptables.Ruleset
	place    *Place
	virtual  bool // from a virtual machine inside the pod
}

// ephemeral is a source port that a client gets from the kernel
// (net.ipv4.ip_local_port_range begins at 32768).
const ephemeral iptables.Port = 40000

func newFirst(q Question, s Subject, rs iptables.Ruleset) first {
	f := first{question: q, rules: rs, place: s.Place}
	f.packet = iptables.Packet{Protocol: q.Protocol, DstPort: iptables.Port(q.To.Port()), SrcPort: ephemeral, State: iptables.StateNew}
	f.destination()
	if q.Inbound() {
		f.path, f.packet.In = iptables.Arriving, f.arrivesBy()
		f.virtual = s.Config != nil && s.Config.OfVirtual(f.packet.In)
	} else {
		f.path, f.packet.Out = iptables.Leaving, f.leavesBy()
		f.packet.Owner = f.owner(s.Config)
	}
	f.source()
	return f
}

func (f *first) assume(format string, args ...any) {
	f.assumed = append(f.assumed, fmt.Sprintf(format, args...))
}

// own is an address of the pod, and whether it is known to be one.
func (f *first) own() (addr netip.Addr, known bool) {
	for _, a := range f.question.Own {
		if iptables.FamilyOf(a) == f.rules.Family {
			return a, true
		}
	}
	if h, ok := f.place.of(f.rules.Family); ok {
		return h.Addr, true
	}
	if f.rules.Family == iptables.V6 {
		return netip.MustParseAddr("2001:db8::10"), false
	}
	return netip.MustParseAddr("192.0.2.10"), false
}

func (f *first) destination() {
	f.packet.Dst = f.question.To.Addr()
	if f.packet.Dst.IsValid() {
		return
	}
	own, known := f.own()
	if f.packet.Dst = own; !known {
		f.assume("%s stands for the pod's own address (--pod-ip names it)", own)
	}
}

func (f *first) toItself() bool {
	if f.packet.Dst.IsLoopback() || !f.question.To.Addr().IsValid() || f.packet.Dst == f.question.Source {
		return true
	}
	_, home := f.place.at(f.packet.Dst)
	return home || slices.Contains(f.question.Own, f.packet.Dst)
}

// leavesBy is the interface that the connection takes out of the process.
func (f *first) leavesBy() string {
	switch {
	case f.question.Interface != "":
		return f.question.Interface
	case f.toItself():
		return "lo"
	case f.place == nil:
		f.assume("it leaves by eth0 (--iface says otherwise)")
		return "eth0"
	case f.place.Out.Interface == "":
		f.assume("it leaves by eth0 (--iface says otherwise); there is no route to %s now, so the kernel refuses it before it meets a rule", f.packet.Dst)
		return "eth0"
	}
	return f.place.Out.Interface
}

// arrivesBy is the interface that the connection comes in by.
func (f *first) arrivesBy() string {
	if f.question.Interface != "" {
		return f.question.Interface
	}
	if h, ok := f.place.at(f.packet.Dst); ok {
		return h.Interface
	}
	f.assume("it arrives by eth0 (--iface says otherwise)")
	return "eth0"
}

func (f *first) source() {
	q := f.question
	switch {
	case q.Source.IsValid():
		f.packet.Src = q.Source
	case q.Inbound():
		f.packet.Src = elsewhere(f.rules.Family)
		f.assume("the client is %s (--source says otherwise)", f.packet.Src)
	case f.packet.Dst.IsLoopback():
		f.packet.Src = iptables.Loopback(f.rules.Family)
	case f.packet.Out == "lo":
		f.packet.Src = f.packet.Dst
	case f.place != nil && f.packet.Out == f.place.Out.Interface && f.place.Out.Addr.IsValid():
		f.packet.Src = f.place.Out.Addr
	default:
		f.packet.Src, _ = f.own()
	}
}

func elsewhere(f iptables.Family) netip.Addr {
	if f == iptables.V6 {
		return netip.MustParseAddr("2001:db8:ffff::1")
	}
	return netip.MustParseAddr("198.51.100.1")
}

func (f *first) owner(c *builder.Config) *iptables.Owner {
	switch f.question.Who {
	case Somebody:
		o := f.question.Owner
		return &o
	case Proxy:
		return f.proxy(c)
	}
	id := ordinary(f.rules)
	f.assume("the application runs as uid %d and gid %d (--from uid:N,gid:N says otherwise)", id, id)
	return &iptables.Owner{UID: id, GID: id}
}

// proxy is the proxy's owner: as configured, or as the rules say.
func (f *first) proxy(c *builder.Config) *iptables.Owner {
	if c != nil {
		return &iptables.Owner{UID: c.ProxyUIDs[0].First, GID: c.ProxyGIDs[0].First}
	}
	o := &iptables.Owner{UID: 1337, GID: 1337}
	uid, hasUID := exempt(f.rules, func(m iptables.Match) (uint32, bool) {
		u, ok := m.(iptables.UIDOwner)
		return u.Range.First, ok && !u.Not
	})
	gid, hasGID := exempt(f.rules, func(m iptables.Match) (uint32, bool) {
		g, ok := m.(iptables.GIDOwner)
		return g.Range.First, ok && !g.Not
	})
	if hasUID {
		o.UID, o.GID = uid, ordinary(f.rules)
	}
	if hasGID {
		o.GID = gid
	}
	f.assume("the proxy runs as uid %d and gid %d", o.UID, o.GID)
	return o
}

// exempt finds the first id whose packets nat lets go: RETURN or ACCEPT.
func exempt(rs iptables.Ruleset, id func(iptables.Match) (uint32, bool)) (uint32, bool) {
	for _, c := range rs.Chains {
		if c.Table != iptables.Nat {
			continue
		}
		for i := range c.Rules {
			if v, ok := c.Rules[i].Target.(iptables.Verdict); !ok || v != iptables.VerdictReturn && v != iptables.VerdictAccept {
				continue
			}
			for _, m := range c.Rules[i].Match {
				if n, ok := id(m); ok {
					return n, true
				}
			}
		}
	}
	return 0, false
}

// ordinary is an id that no owner condition names: an application's.
func ordinary(rs iptables.Ruleset) uint32 {
	var named []iptables.IDRange
	for _, c := range rs.Chains {
		for i := range c.Rules {
			for _, m := range c.Rules[i].Match {
				switch m := m.(type) {
				case iptables.UIDOwner:
					named = append(named, m.Range)
				case iptables.GIDOwner:
					named = append(named, m.Range)
				}
			}
		}
	}
	id := uint32(1000)
	for again := true; again; {
		again = false
		for _, r := range named {
			if r.Contains(id) && id < r.Last+1 {
				id, again = r.Last+1, true
			}
		}
	}
	return id
}
