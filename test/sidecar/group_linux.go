package sidecar

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// group is a set of listeners and of what they serve, which end together.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wait   *sync.WaitGroup
}

func newGroup() group {
	ctx, cancel := context.WithCancel(context.Background())
	return group{ctx, cancel, &sync.WaitGroup{}}
}

// Close ends every listener and connection, and waits for their end.
func (g group) Close() {
	g.cancel()
	g.wait.Wait()
}

// accept serves connections of a listener until the group ends.
func (g group) accept(l net.Listener, serve func(*net.TCPConn)) {
	g.closeAtEnd(l)
	g.wait.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of descriptors, or the client is gone already
				time.Sleep(time.Millisecond)
				continue
			}
			g.wait.Go(func() {
				defer c.Close()
				defer context.AfterFunc(g.ctx, func() { c.Close() })()
				serve(c.(*net.TCPConn))
			})
		}
	})
}

// closeAtEnd closes a socket when the group ends.
func (g group) closeAtEnd(c io.Closer) {
	g.wait.Go(func() {
		<-g.ctx.Done()
		c.Close()
	})
}

// addrPort is an address of a socket, without the disguise of IPv4 in IPv6.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
