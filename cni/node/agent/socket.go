package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sluicemesh/sluice/cni/podapi"
)

// lookEvery is how often the agent looks whether plugins still reach it, and
// reopenings how often in a row it tries to listen again: a container whose
// folder of the host was removed has a dead one, and gets the new one only by
// being started again.
const (
	lookEvery  = time.Second
	reopenings = 10
)

// door is a socket for plugins, and the file by which they find it.
type door struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

// openDoor listens. Its file goes by shut only: closing a listener removes
// whatever has its name, another agent's too.
func openDoor(path string) (door, error) {
	l, err := podapi.Listen(path)
	if err != nil {
		return door{}, err
	}
	l.SetUnlinkOnClose(false)
	file, err := os.Lstat(path)
	if err != nil {
		return door{}, fmt.Errorf("socket: %w, %w", err, l.Close())
	}
	return door{l, path, file}, nil
}

// open tells why plugins can't come in any more; nil if they can. A socket in
// its place that answers is another agent's, which answers the same.
func (d door) open() error {
	if err := podapi.CheckFolder(d.path); err != nil {
		return err
	}
	now, err := os.Lstat(d.path)
	if err != nil || os.SameFile(now, d.file) {
		return err
	}
	conn, err := net.DialTimeout("unix", d.path, lookEvery)
	if err != nil {
		return err
	}
	return conn.Close()
}

// shut removes the socket's file if it is still this door's.
func (d door) shut() {
	if now, err := os.Lstat(d.path); err == nil && os.SameFile(now, d.file) {
		_ = os.Remove(d.path) // a file that is left is replaced by the next agent
	}
}

// serveSocket answers plugins until ctx ends, and opens the door anew when
// plugins can't find it: someone has emptied /run, or changed its folder.
func (a *Agent) serveSocket(ctx context.Context, server podapi.Server, d door) error {
	for {
		err := a.serveDoor(ctx, server, d)
		if ctx.Err() != nil || err != nil {
			return err
		}
		if d, err = a.reopen(ctx); err != nil {
			return err
		}
		a.Log.Info("listening for plugins again", "socket", a.Socket)
	}
}

func (a *Agent) reopen(ctx context.Context) (d door, err error) {
	for range reopenings {
		if d, err = openDoor(a.Socket); err == nil {
			return d, nil
		}
		a.Log.Warn("plugins cannot reach the agent, trying again", "err", err)
		pause(ctx, lookEvery)
	}
	return door{}, fmt.Errorf("plugins cannot reach the agent: %w", err)
}

// serveDoor serves as long as plugins can come in.
func (a *Agent) serveDoor(outer context.Context, server podapi.Server, d door) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, d.UnixListener) }()
	defer d.shut()
	a.state.Reachable.Store(true)
	defer a.state.Reachable.Store(false)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-look.C:
		}
		if err := d.open(); err != nil && outer.Err() == nil {
			a.Log.Warn("plugins cannot reach the agent, listening again", "err", err)
			a.state.Reachable.Store(false)
			cancel()
			return <-done
		}
	}
}
