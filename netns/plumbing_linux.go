package netns

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
)

// Read lists what carries our protocol number, and what has the form of ours
// but is somebody else's.
func (c *Conn) Read(ctx context.Context) (Plumbing, error) {
	if err := c.sock.Limit(ctx); err != nil {
		return Plumbing{}, err
	}
	rules, err := c.rules()
	if err != nil {
		return Plumbing{}, err
	}
	list, err := c.routes()
	if err != nil {
		return Plumbing{}, err
	}
	routes, err := ourRoutes(list)
	if err != nil {
		return Plumbing{}, err
	}
	addrs, err := c.addrs(iptables.V6)
	return Plumbing{Rules: rules, Routes: routes, Addrs: sixOf(addrs)}, err
}

// rules keeps ours, and plain mark rules of others. Family 0 lists those of
// every family, multicast routing's too, in one exchange.
func (c *Conn) rules() ([]Rule, error) {
	msgs, err := c.dump(unix.RTM_GETRULE, "policy rules", string(make([]byte, ruleHeader)))
	var rules []Rule
	for _, m := range msgs {
		r, err := parseRule(m.Data)
		if err != nil {
			return nil, at("policy rules", err)
		}
		plain := r.Also == "" && r.Mark != 0
		if r.Family != 0 && (r.Ours() || plain) {
			rules = append(rules, r)
		}
	}
	return rules, err
}

// routes lists those of both families. The table of ours is not known
// beforehand, so the whole list is read.
func (c *Conn) routes() ([]message, error) {
	return c.dump(unix.RTM_GETROUTE, "routes", string(make([]byte, unix.SizeofRtMsg)))
}

// ourRoutes keeps ours, and local defaults of others.
func ourRoutes(list []message) ([]Route, error) {
	var routes []Route
	for _, m := range list {
		if !mayBeOurs(m.Data) {
			continue
		}
		r, dev, err := parseRoute(m.Data)
		if err != nil {
			return nil, at("routes", err)
		}
		r.Dev = devName(dev)
		if r.Ours() || r.key() == LocalDefault(r.family(), r.Table).key() {
			routes = append(routes, r)
		}
	}
	return routes, nil
}

// mayBeOurs spares decoding the routes of a router: it looks at the header's
// family, prefix length, protocol and type only.
func mayBeOurs(h []byte) bool {
	if len(h) < unix.SizeofRtMsg {
		return true // parseRoute says what is wrong
	}
	return familyOfAF(h[0]) != 0 && (h[5] == Protocol || h[1] == 0 && h[7] == unix.RTN_LOCAL)
}

func devName(index uint32) string {
	if index == routeLo {
		return "lo"
	}
	return fmt.Sprintf("if%d", index)
}

// addrs lists the addresses of a family, or of both for family 0.
func (c *Conn) addrs(f iptables.Family) ([]Addr, error) {
	msgs, err := c.dump(unix.RTM_GETADDR, "addresses", string([]byte{0: af(f), unix.SizeofIfAddrmsg - 1: 0}))
	var addrs []Addr
	for _, m := range msgs {
		a, dev, err := parseAddr(m.Data)
		if err != nil {
			return nil, at("addresses", err)
		}
		a.Dev = devName(dev)
		addrs = append(addrs, a)
	}
	return addrs, err
}

// sixOf keeps ours, and ::6/128 on lo. A kernel that knows address protocols
// shows one on ::1 (IFAPROT_KERNEL_LO); if no address has one, the kernel
// cannot tell, and ::6/128 on lo, which nobody else needs, is ours.
func sixOf(addrs []Addr) []Addr {
	known := false
	for _, a := range addrs {
		known = known || a.Protocol != 0
	}
	var kept []Addr
	for _, a := range addrs {
		if a.key() == SixAddr().key() && !known {
			a.Protocol = Protocol
		}
		if a.Ours() || a.key() == SixAddr().key() {
			kept = append(kept, a)
		}
	}
	return kept
}

// Apply makes the changes in order. If one fails, it puts back what have says
// was there before the first, and returns an *ApplyError. No changes are made
// also when the time is up: who had nothing left to do has not failed.
func (c *Conn) Apply(ctx context.Context, have Plumbing, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := c.sock.Limit(ctx); err != nil {
		return err
	}
	for _, change := range changes {
		if err := c.apply(change); err != nil {
			return &ApplyError{Change: change, Err: err, Hint: applyHint(err), Undo: c.restore(ctx, have)}
		}
	}
	return nil
}

// restore reconciles to what was read before.
func (c *Conn) restore(ctx context.Context, before Plumbing) error {
	now, err := c.Read(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	for _, change := range Reconcile(now, before) {
		if err := c.apply(change); err != nil {
			return &ApplyError{Change: change, Err: err, Hint: applyHint(err)}
		}
	}
	return nil
}

// Ensure reads, reconciles and applies, and returns the changes it made: none
// if all was as wanted. The zero Plumbing removes everything that is ours.
func (c *Conn) Ensure(ctx context.Context, want Plumbing) ([]Change, error) {
	have, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	changes := Reconcile(have, want)
	if err := c.Apply(ctx, have, changes); err != nil {
		return nil, err
	}
	return changes, nil
}

// request is a kind of object in rtnetlink.
type request struct{ add, remove uint16 }

var (
	ruleRequest  = request{unix.RTM_NEWRULE, unix.RTM_DELRULE}
	routeRequest = request{unix.RTM_NEWROUTE, unix.RTM_DELROUTE}
	addrRequest  = request{unix.RTM_NEWADDR, unix.RTM_DELADDR}
)

func (c *Conn) apply(change Change) error {
	kind, body, err := encode(change.Item)
	if err != nil {
		return err
	}
	if change.Verb == Remove {
		return gone(c.do(kind.remove, 0, body))
	}
	return c.do(kind.add, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body)
}

func encode(item Item) (kind request, body string, err error) {
	switch item := item.(type) {
	case Rule:
		body, err = ruleBody(item)
		return ruleRequest, body, err
	case Route:
		body, err = routeBody(item)
		return routeRequest, body, err
	case Addr:
		body, err = addrBody(item)
		return addrRequest, body, err
	}
	return kind, "", fmt.Errorf("no such item: %T", item)
}

// gone forgives the absence of what was to be removed: somebody was faster.
func gone(err error) error {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.ESRCH, unix.EADDRNOTAVAIL} {
		if errors.Is(err, errno) {
			return nil
		}
	}
	return err
}
