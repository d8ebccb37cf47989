package netns

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nlsock"
)

func TestAnswersToAnEarlierRequestArePassedOver(t *testing.T) {
	c := &Conn{seq: 7}
	var msgs []message
	for _, m := range []nlsock.Message{
		{Kind: unix.NLMSG_ERROR, Seq: 6, Body: []byte{0xff, 0xff, 0xff, 0xff}},
		{Kind: unix.RTM_NEWRULE, Seq: 7, Body: []byte{1, 2, 3, 4}},
	} {
		if done, err := c.collect(m, &msgs); done || err != nil {
			t.Errorf("message %d: got done=%t err=%v, want false and <nil>", m.Seq, done, err)
		}
	}
	done, err := c.collect(nlsock.Message{Kind: unix.NLMSG_DONE, Seq: 7, Body: []byte{0, 0, 0, 0}}, &msgs)
	if !done || err != nil || len(msgs) != 1 {
		t.Errorf("got done=%t err=%v and %d messages, want true, <nil> and 1", done, err, len(msgs))
	}
}

func TestErrorsOfTheKernelAreErrnos(t *testing.T) {
	c := &Conn{seq: 1}
	errno := -int32(unix.EPERM)
	_, err := c.collect(nlsock.Message{Kind: unix.NLMSG_ERROR, Seq: 1, Body: native.AppendUint32(nil, uint32(errno))}, new([]message))
	if !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v, want %v", err, unix.EPERM)
	}
}

// What a list holds stays as it is while more is received.
func TestMessagesAreKeptInMemoryOfTheirOwn(t *testing.T) {
	c := &Conn{seq: 1}
	var msgs []message
	body := []byte{1}
	_, _ = c.collect(nlsock.Message{Kind: unix.RTM_NEWRULE, Seq: 1, Body: body}, &msgs)
	body[0] = 2
	same(t, "the message", msgs[0].Data, []byte{1})
}

// An undoing runs though the caller's time is over, and must end all the same.
func TestNoWaitIsForEver(t *testing.T) {
	c := dial(t, fresh(t))
	must(t, c.restore(context.Background(), Plumbing{}))
	limit, err := unix.GetsockoptTimeval(c.sock.FD(), unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	must(t, err)
	if limit.Nano() == 0 {
		t.Error("got no bound for the kernel's answer")
	}
}

// FuzzMessages holds that no message makes a decoder panic.
func FuzzMessages(f *testing.F) {
	rule, _ := ruleBody(MarkRule(4, 1, 2))
	route, _ := routeBody(LocalDefault(6, 2))
	addr, _ := addrBody(SixAddr())
	for _, seed := range []string{rule, route, addr, "", "\x02"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseRule(data); err == nil {
			_ = r.String()
		}
		if r, _, err := parseRoute(data); err == nil && r.Dst.IsValid() {
			_ = r.String()
		}
		if a, _, err := parseAddr(data); err == nil && a.Prefix.IsValid() {
			_ = a.String()
		}
		_, _ = (&Conn{}).collect(nlsock.Message{Kind: unix.NLMSG_ERROR, Body: data}, new([]message))
	})
}

func TestEncodedWishesDecodeToThemselves(t *testing.T) {
	for _, p := range []Plumbing{full(0x539, 133), full(1, 4000000000)} {
		for _, want := range p.items() {
			_, body, err := encode(want)
			must(t, err)
			var got Item
			switch want.(type) {
			case Rule:
				got, err = parseRule([]byte(body))
			case Route:
				var r Route
				r, _, err = parseRoute([]byte(body))
				r.Dev = "lo"
				got = r
			case Addr:
				var a Addr
				a, _, err = parseAddr([]byte(body))
				a.Dev = "lo"
				got = a
			}
			must(t, err)
			if got.key() != want.key() || !got.Ours() {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
}
