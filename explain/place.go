package explain

import (
	"net/netip"

	"github.com/sluicemesh/sluice/iptables"
)

// Place is the namespace that rules stand in, as far as it bears on a question.
// Without it interfaces and addresses are assumed, and said to be.
type Place struct {
	// Own are the namespace's addresses, loopback's left out.
	Own []Home
	// Out is how it sends to the question's destination; zero: it has no route.
	Out Home
}

// Home is an address and the interface that goes with it.
type Home struct {
	Addr      netip.Addr
	Interface string
}

// of is the first address of a family, one that is known beyond its link if
// there is any.
func (p *Place) of(f iptables.Family) (home Home, ok bool) {
	if p == nil {
		return Home{}, false
	}
	for _, h := range p.Own {
		switch {
		case iptables.FamilyOf(h.Addr) != f:
		case !h.Addr.IsLinkLocalUnicast():
			return h, true
		case !ok:
			home, ok = h, true
		}
	}
	return home, ok
}

// at is the home of an address.
func (p *Place) at(a netip.Addr) (Home, bool) {
	if p == nil {
		return Home{}, false
	}
	for _, h := range p.Own {
		if h.Addr == a {
			return h, true
		}
	}
	return Home{}, false
}
