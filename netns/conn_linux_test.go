package netns

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reply frames one message as the kernel does.
func reply(kind uint16, seq uint32, body []byte) []byte {
	m := make([]byte, headerSize, headerSize+len(body))
	native.PutUint32(m, uint32(headerSize+len(body)))
	native.PutUint16(m[4:], kind)
	native.PutUint32(m[8:], seq)
	return append(m, body...)
}

func TestAnswersToAnEarlierRequestArePassedOver(t *testing.T) {
	c := &Conn{seq: 7}
	data := reply(unix.NLMSG_ERROR, 6, []byte{0xff, 0xff, 0xff, 0xff})
	data = append(data, reply(unix.RTM_NEWRULE, 7, []byte{1, 2, 3, 4})...)
	data = append(data, reply(unix.NLMSG_DONE, 7, []byte{0, 0, 0, 0})...)
	var msgs []message
	done, err := c.collect(data, &msgs)
	if !done || err != nil || len(msgs) != 1 {
		t.Errorf("got done=%t err=%v and %d messages, want true, <nil> and 1", done, err, len(msgs))
	}
}

func TestErrorsOfTheKernelAreErrnos(t *testing.T) {
	c := &Conn{seq: 1}
	errno := -int32(unix.EPERM)
	_, err := c.collect(reply(unix.NLMSG_ERROR, 1, native.AppendUint32(nil, uint32(errno))), new([]message))
	if !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v, want %v", err, unix.EPERM)
	}
}

func TestSilentKernelEndsAtTheDeadline(t *testing.T) {
	c, err := Dial()
	must(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	must(t, c.limit(ctx))
	if _, err := c.receive(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

// FuzzMessages holds that no message makes a decoder panic.
func FuzzMessages(f *testing.F) {
	rule, _ := ruleBody(MarkRule(4, 1, 2))
	route, _ := routeBody(LocalDefault(6, 2))
	addr, _ := addrBody(SixAddr())
	for _, seed := range []string{rule, route, addr, "", "\x02", string(reply(3, 0, nil))} {
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
		_, _ = (&Conn{}).collect(data, new([]message))
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
