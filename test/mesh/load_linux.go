package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/test/sidecar"
)

// Load is many connections through both sides of one pod's sidecar. Every one
// knows by the answer whether it passed the sidecar: an application that is
// connected to from the client's own port, or from outside of the pod, was
// reached past it.
type Load struct {
	Rig *rig.Rig

	mu     sync.Mutex
	report LoadReport
}

// LoadReport counts what came of a load.
type LoadReport struct {
	// Answered are the connections that were opened and answered, Escaped those
	// of them that passed no sidecar.
	Answered, Escaped int
	// Exchanges are questions and answers on connections that stay open.
	Exchanges int
	// Failures are connections that were refused, reset, misrouted, or broken
	// while they were open; the first hundred.
	Failures []string
}

// loadPorts is how many ports the services of the load have. Clients of one
// address have no more free ports than a few ten thousand for each of them.
const loadPorts = 8

// NewLoad starts a sidecar that forwards, an application beside it, and services
// outside of the pod.
func NewLoad(t testing.TB) *Load {
	t.Helper()
	r := rig.New(t)
	for _, n := range []*rig.Namespace{r.Pod, r.World} {
		n.Sysctl("net/ipv4/ip_local_port_range", "10000 65000")
	}
	r.Pod.App(rig.App, AppName, "0.0.0.0:8080", "[::]:8080")
	var at []string
	for i := range loadPorts {
		at = append(at, fmt.Sprintf("0.0.0.0:%d", 8000+i), fmt.Sprintf("[::]:%d", 8000+i))
	}
	r.World.App(rig.App, ServiceName, at...)
	r.Pod.Sidecar(rig.Proxy, sidecar.Config{Handler: sidecar.Forward{}})
	return &Load{Rig: r}
}

// Run keeps this many connections at a time under way, half of them from the
// pod and half to it, half of each family, and some more that stay open, until
// the context ends.
func (l *Load) Run(ctx context.Context, atATime, open int) LoadReport {
	var working sync.WaitGroup
	var next atomic.Int64
	for range atATime {
		working.Go(func() {
			for ctx.Err() == nil {
				l.once(int(next.Add(1)))
			}
		})
	}
	for i := range open {
		working.Go(func() { l.hold(ctx, i) })
	}
	working.Wait()
	return l.report
}

// way is the n-th connection: from where, to what, and who shall answer.
type way struct {
	from    *rig.Namespace
	to      netip.AddrPort
	answers string
}

func (l *Load) way(n int) way {
	six := n&2 != 0
	if n&1 == 0 {
		pod := rig.Pod4
		if six {
			pod = rig.Pod6
		}
		return way{l.Rig.World, netip.AddrPortFrom(pod, 8080), AppName}
	}
	service := rig.Service4(n/4%3 + 1)
	if six {
		service = rig.Service6(n/4%3 + 1)
	}
	return way{l.Rig.Pod, netip.AddrPortFrom(service, uint16(8000+n/12%loadPorts)), ServiceName}
}

// once opens a connection, sees who answers, says something, and closes it.
func (l *Load) once(n int) {
	w := l.way(n)
	c, escaped, err := w.open()
	if err == nil {
		err = exchange(c, []byte("one"))
		c.Close()
	}
	l.note(w, err, func(r *LoadReport) {
		r.Answered++
		if escaped {
			r.Escaped++
		}
	})
}

// hold opens a connection and talks on it now and then.
func (l *Load) hold(ctx context.Context, n int) {
	w := l.way(n)
	c, _, err := w.open()
	if err != nil {
		l.note(w, err, nil)
		return
	}
	defer c.Close()
	for ctx.Err() == nil && err == nil {
		time.Sleep(5 * time.Millisecond)
		err = exchange(c, []byte("still there?"))
		l.note(w, err, func(r *LoadReport) { r.Exchanges++ })
	}
}

// open connects and says whether the application was reached past the sidecar.
func (w way) open() (c net.Conn, escaped bool, err error) {
	c, err = w.from.Dial(rig.App, "tcp", w.to.String())
	if err != nil {
		return nil, false, err
	}
	got, err := sidecar.Question(c)
	if err == nil && (got.Listener != w.answers || got.Local != w.to) {
		err = fmt.Errorf("misrouted: answered by %v", got)
	}
	if err != nil {
		c.Close()
		return nil, false, err
	}
	return c, w.past(c, got), nil
}

// past: a sidecar hands an inbound connection over from 127.0.0.6 or ::6, and
// opens an outbound one from a port of its own.
func (w way) past(c net.Conn, got sidecar.Report) bool {
	if w.answers == AppName {
		six := map[bool]string{true: "127.0.0.6", false: "::6"}[got.Peer.Addr().Is4()]
		return got.Peer.Addr() != netip.MustParseAddr(six)
	}
	return got.Peer.String() == c.LocalAddr().String()
}

// exchange sends something and wants it back.
func exchange(c net.Conn, what []byte) error {
	if err := c.SetDeadline(time.Now().Add(sidecar.AskTimeout)); err != nil {
		return err
	}
	if _, err := c.Write(what); err != nil {
		return err
	}
	back := make([]byte, len(what))
	if _, err := io.ReadFull(c, back); err != nil {
		return fmt.Errorf("no echo: %w", err)
	}
	if string(back) != string(what) {
		return errors.New("another echo than what was said")
	}
	return nil
}

func (l *Load) note(w way, err error, ok func(*LoadReport)) {
	const keep = 100
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		ok(&l.report)
		return
	}
	if len(l.report.Failures) < keep {
		l.report.Failures = append(l.report.Failures, fmt.Sprintf("%s to %v: %v", w.from.Name, w.to, err))
	}
}
