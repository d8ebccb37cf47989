package nlsock

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/leak"
)

// No goroutine outlives what started it.
func TestMain(m *testing.M) { leak.Main(m) }

func open(t *testing.T) *Conn {
	t.Helper()
	c, err := Open(unix.NETLINK_ROUTE)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// framed is one message as it stands in a datagram.
func framed(kind uint16, seq uint32, body string) []byte {
	m := make([]byte, headerSize, headerSize+len(body)+3)
	binary.NativeEndian.PutUint32(m, uint32(headerSize+len(body)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(m[8:], seq)
	m = append(m, body...)
	return append(m, make([]byte, (4-len(m)%4)%4)...)
}

// from is a Conn at whose other end stands the test.
func from(t *testing.T, datagrams ...[]byte) *Conn {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	must(t, err)
	c := &Conn{fd: fds[0]}
	t.Cleanup(func() { c.Close(); unix.Close(fds[1]) })
	for _, d := range datagrams {
		_, err := unix.Write(fds[1], d)
		must(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	must(t, c.Limit(ctx))
	return c
}

func timeout(t *testing.T, c *Conn) time.Duration {
	t.Helper()
	tv, err := unix.GetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	must(t, err)
	return time.Duration(tv.Nano())
}

func TestEveryWaitIsBounded(t *testing.T) {
	c := open(t)
	must(t, c.Limit(context.Background()))
	if got := timeout(t, c); got != 10*time.Second {
		t.Errorf("without a deadline: got %v, want 10s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, c.Limit(ctx))
	if got := timeout(t, c); got <= 50*time.Second || got > time.Minute {
		t.Errorf("with a minute left: got %v", got)
	}
	must(t, c.Limit(until{t.Context(), time.Now().Add(500 * time.Microsecond)}))
	if got := timeout(t, c); got <= 0 || got > 10*time.Millisecond {
		t.Errorf("with half a millisecond left: got %v", got)
	}
	cancel()
	if err := c.Limit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: got %v, want %v", err, context.Canceled)
	}
}

// until is a context whose deadline passes unnoticed, as of a busy thread.
type until struct {
	context.Context
	deadline time.Time
}

func (u until) Deadline() (time.Time, bool) { return u.deadline, true }

func TestADeadlineCountsThoughNoTimerHasFired(t *testing.T) {
	over := until{t.Context(), time.Now().Add(-time.Microsecond)}
	if err := open(t).Limit(over); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestASilentKernelEndsAtTheDeadline(t *testing.T) {
	c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	must(t, c.Limit(ctx))
	if err := c.Receive(nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestMessagesAreThoseOfAllDatagramsUpToTheLastWanted(t *testing.T) {
	c := from(t, slices.Concat(framed(16, 1, "abcde"), framed(17, 2, "")), framed(18, 3, "x"), framed(19, 4, "not asked for"))
	var got []string
	err := c.Receive(func(m Message) (bool, error) {
		got = append(got, string(m.Body))
		return m.Seq == 3, nil
	})
	if want := []string{"abcde", "", "x"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestAVisitorsErrorEndsTheReceiving(t *testing.T) {
	refusal := errors.New("refused")
	c := from(t, framed(16, 1, ""))
	if err := c.Receive(func(Message) (bool, error) { return false, refusal }); !errors.Is(err, refusal) {
		t.Errorf("got %v, want %v", err, refusal)
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	short, long := framed(16, 1, ""), framed(16, 1, "")
	binary.NativeEndian.PutUint32(short, headerSize-1)
	binary.NativeEndian.PutUint32(long, headerSize+1)
	for want, data := range map[string][]byte{
		"a message of a wrong length": short,
		"wrong length":                long,
		"longer than any should be":   make([]byte, recvSize+1),
	} {
		err := from(t, data).Receive(func(Message) (bool, error) { return true, nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A socket's buffer may be too small for all answers; the first ones are there.
func TestTheFirstAnswersCountWhereTheLaterOnesDidNotFit(t *testing.T) {
	c := open(t)
	must(t, unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1))
	var many []byte
	for i := range uint32(500) {
		many = append(many, framed(unix.RTM_NEWADDR, i+1, "garbage!")...)
	}
	must(t, c.Limit(t.Context()))
	must(t, c.Send(many))
	err := c.Receive(func(m Message) (bool, error) {
		if m.Seq != 1 || m.Kind != unix.NLMSG_ERROR {
			t.Errorf("got message %d of kind %d, want the answer to the first", m.Seq, m.Kind)
		}
		return true, nil
	})
	must(t, err)
}

// The caller asks errors.Is for what the kernel answered, never for why nothing came.
func TestALostQuestionIsNoAnswer(t *testing.T) {
	c := from(t)
	unix.Shutdown(c.fd, unix.SHUT_WR)
	err := c.Send([]byte("x"))
	var errno unix.Errno
	if err == nil || errors.As(err, &errno) {
		t.Errorf("got %v with errno %d, want an error without", err, errno)
	}
}

func TestATornListIsAskedForAgainAtMostTwentyTimes(t *testing.T) {
	refusal := errors.New("refused")
	for _, c := range []struct {
		torn  int // so often
		err   error
		asked int
		want  string
	}{{0, nil, 1, ""}, {19, nil, 20, ""}, {20, nil, 20, "faster than it can be read"}, {3, refusal, 4, "refused"}} {
		asked := 0
		err := Whole(func() (bool, error) {
			if asked++; asked > c.torn {
				return false, c.err
			}
			return true, nil
		})
		if asked != c.asked || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("torn %d times: asked %d times, got %v; want %d times and %q", c.torn, asked, err, c.asked, c.want)
		}
	}
}

// FuzzDatagrams holds that no datagram makes the reader panic or run for ever.
func FuzzDatagrams(f *testing.F) {
	f.Add(framed(16, 1, "abcde"))
	f.Add(slices.Concat(framed(16, 1, "a"), framed(17, 2, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		for err := error(nil); len(data) >= headerSize && err == nil; {
			_, data, err = cut(data)
		}
	})
}
