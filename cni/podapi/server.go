package podapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Handler answers what a plugin asks. Both methods are called from many
// goroutines at once.
type Handler interface {
	// Pod answers a request; the server fills in version and uid.
	Pod(context.Context, Request) Response
	// Report takes note of a call.
	Report(Report)
	// Failed takes note of an exchange that did not come to an answer: a
	// stranger, a garbled or slow line, too many callers.
	Failed(*Error)
}

// Server answers plugins on one listener. The zero limits mean the defaults.
type Server struct {
	Handler Handler
	// Timeout bounds the reading of a request and the writing of its answer,
	// each; default one second.
	Timeout time.Duration
	// Answer bounds the handler's own time; default five seconds.
	Answer time.Duration
	// Callers is how many exchanges run at once; default 256. One more waits
	// in the kernel's queue.
	Callers int

	// large is held while a large answer is encoded and written.
	large chan struct{}
}

// Listen makes the socket at path in a folder that is root's alone (0700, made
// if it is missing, corrected if it is open), replacing a socket that a killed
// agent left behind.
func Listen(path string) (*net.UnixListener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	if err := CheckFolder(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("stale socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Serve answers until ctx ends or the listener fails, then closes the listener
// and waits for the exchanges that are under way. It returns nil when ctx
// ended it.
func (s Server) Serve(ctx context.Context, l *net.UnixListener) error {
	s = s.withDefaults()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, s.Callers)
	for {
		free <- struct{}{}
		conn, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close() // nothing was said on it
			}
			return nil
		case err != nil && !passing(err):
			return err
		case err != nil:
			pause(ctx)
			<-free
			continue
		}
		running.Go(func() {
			defer func() { <-free }()
			s.serve(ctx, conn)
		})
	}
}

func (s Server) withDefaults() Server {
	if s.Timeout == 0 {
		s.Timeout = time.Second
	}
	if s.Answer == 0 {
		s.Answer = 5 * time.Second
	}
	if s.Callers == 0 {
		s.Callers = 256
	}
	s.large = make(chan struct{}, 1)
	return s
}

// passing reports whether an accept may succeed later: out of descriptors or
// memory, a caller that went away.
func passing(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

// serve runs one exchange; whatever goes wrong is counted and the connection closed.
func (s Server) serve(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	if err := checkPeer(conn); err != nil {
		s.failed(conn, &Error{Kind: Untrusted, Op: "accept from", Err: err})
		return
	}
	m, err := s.read(conn)
	if err != nil {
		s.failed(conn, err)
		if err := s.write(conn, Response{Version: Version, Error: err.Err.Error()}); err != nil {
			s.failed(conn, failure("write to", "", err))
		}
		return
	}
	res := s.respond(ctx, m)
	if err := s.write(conn, res); err != nil && m.Report == nil { // whoever reports need not wait
		s.failed(conn, failure("write to", "", err))
	}
}

func (s Server) read(conn *net.UnixConn) (message, *Error) {
	if err := conn.SetReadDeadline(time.Now().Add(s.Timeout)); err != nil {
		return message{}, &Error{Kind: Garbled, Op: "read", Err: err}
	}
	line, err := readLine(conn, MaxRequest)
	if err != nil {
		return message{}, failure("read", "", err)
	}
	m, err := decodeMessage(line)
	if err != nil {
		return message{}, &Error{Kind: Garbled, Op: "read", Err: err}
	}
	if v := m.version(); !known(v) {
		err := fmt.Errorf("protocol version %d is not known here, want 1 to %d", v, Version)
		return message{}, &Error{Kind: Foreign, Op: "read", Err: err}
	}
	return m, nil
}

func (s Server) respond(ctx context.Context, m message) Response {
	if m.Report != nil {
		s.Handler.Report(*m.Report)
		return Response{Version: Version, UID: m.Report.UID}
	}
	ctx, cancel := context.WithTimeout(ctx, s.Answer)
	defer cancel()
	res := s.Handler.Pod(ctx, *m.Pod)
	res.Version, res.UID = Version, m.Pod.UID
	return res
}

// write sends the answer, or the reason why it can't be sent. Large answers
// take turns, so that many together cannot fill the agent's memory; a turn
// lasts Timeout at the most, for a peer that does not read.
func (s Server) write(conn *net.UnixConn, res Response) error {
	if res.large() {
		s.large <- struct{}{}
		defer func() { <-s.large }()
	}
	line, err := encode(res, MaxResponse)
	if err != nil {
		s.failed(conn, &Error{Kind: TooLong, Op: "answer on", Err: err})
		line, _ = encode(Response{Version: Version, UID: res.UID, Kind: TooLong, Error: "the pod's answer: " + err.Error()}, MaxResponse)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(s.Timeout)); err != nil {
		return err
	}
	_, err = conn.Write(line)
	return err
}

func (s Server) failed(conn *net.UnixConn, err *Error) {
	err.Path = conn.LocalAddr().String()
	s.Handler.Failed(err)
}
