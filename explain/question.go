package explain

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Who opens the connection that a question is about.
type Who string

// Those who open connections. Somebody is a process of stated ids.
const (
	App      Who = "app"
	Proxy    Who = "proxy"
	Outside  Who = "outside"
	Somebody Who = "uid"
)

// Question asks about the first packet of one connection.
type Question struct {
	Who   Who
	Owner iptables.Owner // of Somebody
	// To is the destination. An address that is not valid stands for the pod's
	// own, of each family that the subject has rules for.
	To       netip.AddrPort
	Protocol uint8 // TCP or UDP
	// Interface is the one by which the connection leaves or arrives; "" lets
	// the destination choose.
	Interface string
	// Source is the address that the connection comes from; not valid: chosen.
	Source netip.Addr
	// Own are addresses of the pod, if they are known: what goes to them leaves by lo.
	Own []netip.Addr
}

// Inbound says whether the connection arrives at the pod.
func (q Question) Inbound() bool { return q.Who == Outside }

// QuestionError is a part of a question that cannot be asked. Option is the
// long name of its flag.
type QuestionError struct{ Option, Value, Reason, Accepted string }

func (e *QuestionError) text() string {
	return fmt.Sprintf("%q: %s (accepted: %s)", e.Value, e.Reason, e.Accepted)
}

// QuestionErrors is all that is wrong with a question.
type QuestionErrors []*QuestionError

// Error has a line for each.
func (e QuestionErrors) Error() string {
	lines := make([]string, 0, len(e))
	for _, one := range e {
		lines = append(lines, "--"+one.Option+" "+one.text())
	}
	return strings.Join(lines, "\n")
}

// Asked is a question as it is written on a command line.
type Asked struct {
	From, To, Interface, Source string
	PodIPs                      []string
	In                          bool
}

// Parse reads a question. Its errors are QuestionErrors: of every part that is
// not readable, else that the parts do not go together.
func (a Asked) Parse() (Question, error) {
	q := Question{Interface: a.Interface}
	var bad QuestionErrors
	for _, part := range []func(*Question) *QuestionError{a.from, a.to, a.source, a.own} {
		if err := part(&q); err != nil {
			bad = append(bad, err)
		}
	}
	if len(bad) > 0 {
		return q, bad
	}
	if err := a.agree(&q); err != nil {
		return q, QuestionErrors{err}
	}
	return q, nil
}

const acceptedFrom = "app, proxy, outside, uid:N or uid:N,gid:N"

func (a Asked) from(q *Question) *QuestionError {
	switch w := Who(a.From); w {
	case "":
		q.Who = App
		if a.In {
			q.Who = Outside
		}
		return nil
	case App, Proxy, Outside:
		q.Who = w
		return nil
	}
	ids, found := strings.CutPrefix(a.From, "uid:")
	uidText, gidText, hasGID := strings.Cut(ids, ",gid:")
	if !hasGID {
		gidText = uidText
	}
	uid, err1 := strconv.ParseUint(uidText, 10, 32)
	gid, err2 := strconv.ParseUint(gidText, 10, 32)
	if !found || err1 != nil || err2 != nil {
		return &QuestionError{"from", a.From, "nobody of that name", acceptedFrom}
	}
	q.Who, q.Owner = Somebody, iptables.Owner{UID: uint32(uid), GID: uint32(gid)}
	return nil
}

const acceptedTo = "ADDRESS:PORT, [ADDRESS]:PORT or :PORT for the pod's own address, with /udp for UDP"

func (a Asked) to(q *Question) *QuestionError {
	text, proto, hasProto := strings.Cut(a.To, "/")
	q.Protocol = iptables.ProtoTCP
	switch {
	case a.To == "":
		return &QuestionError{"to", a.To, "no destination", acceptedTo}
	case hasProto && strings.EqualFold(proto, "udp"):
		q.Protocol = iptables.ProtoUDP
	case hasProto && !strings.EqualFold(proto, "tcp"):
		return &QuestionError{"to", a.To, "only TCP and UDP have ports", acceptedTo}
	}
	if portText, own := strings.CutPrefix(text, ":"); own && !strings.Contains(portText, ":") {
		port, err := strconv.ParseUint(portText, 10, 16)
		if err != nil || port == 0 {
			return &QuestionError{"to", a.To, "not a port", acceptedTo}
		}
		q.To = netip.AddrPortFrom(netip.Addr{}, uint16(port))
		return nil
	}
	to, err := netip.ParseAddrPort(text)
	if err != nil || to.Port() == 0 {
		return &QuestionError{"to", a.To, "not an address and port; names are not looked up", acceptedTo}
	}
	q.To = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
	if zone := to.Addr().Zone(); zone != "" && q.Interface == "" {
		q.Interface = zone
	}
	return nil
}

func (a Asked) source(q *Question) *QuestionError {
	if a.Source == "" {
		return nil
	}
	source, err := netip.ParseAddr(a.Source)
	if err != nil {
		return &QuestionError{"source", a.Source, "not an address", "an IPv4 or IPv6 address"}
	}
	q.Source = source.Unmap()
	return nil
}

func (a Asked) own(q *Question) *QuestionError {
	for _, text := range a.PodIPs {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return &QuestionError{"pod-ip", text, "not an address", "an IPv4 or IPv6 address"}
		}
		q.Own = append(q.Own, addr.Unmap())
	}
	return nil
}

// agree refuses what cannot be asked together.
func (a Asked) agree(q *Question) *QuestionError {
	switch {
	case a.In && q.Who != Outside:
		return &QuestionError{"from", a.From, "a process in the pod does not arrive from outside", "--in with --from outside, or neither"}
	case q.Inbound() && q.Interface == "lo":
		return &QuestionError{"iface", "lo", "what arrives by lo left a process of this pod: ask about that", "--from app or --from proxy"}
	case q.Source.IsValid() && q.To.Addr().IsValid() && q.Source.Is4() != q.To.Addr().Is4():
		return &QuestionError{"source", a.Source, "another family than the destination", "an address of the destination's family"}
	}
	return nil
}
