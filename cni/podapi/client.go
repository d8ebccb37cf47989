package podapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// Ask asks the agent behind the socket at path for one pod. The context's
// deadline bounds the whole exchange. Every error is an *Error; a Response
// without error is for the pod asked for, found or not found.
func Ask(ctx context.Context, path string, q Request) (Response, error) {
	q.Version = Version
	res, err := exchange(ctx, path, message{Pod: &q})
	if err != nil {
		return Response{}, err
	}
	if err := res.answers(q); err != nil {
		return Response{}, &Error{Kind: Mistaken, Op: "read", Path: path, Err: err}
	}
	return res, nil
}

// Tell reports to the agent what a call did, and waits until it has taken note.
func Tell(ctx context.Context, path string, r Report) error {
	r = r.fits()
	r.Version = Version
	_, err := exchange(ctx, path, message{Report: &r})
	return err
}

// Note is Tell that does not wait: a pod never waits for a metric. A failure is
// worth a log line and nothing more.
func Note(ctx context.Context, path string, r Report) error {
	r = r.fits()
	r.Version = Version
	conn, err := send(ctx, path, message{Report: &r})
	if err != nil {
		return err
	}
	return conn.Close()
}

// answers checks that the response is for the pod that q names.
func (r Response) answers(q Request) error {
	switch {
	case r.UID != q.UID:
		return fmt.Errorf("asked for uid %q, answered for %q", q.UID, r.UID)
	case r.Found && r.Pod == nil:
		return errors.New("found, but no pod in the answer")
	case !r.Found:
		return nil
	case r.Pod.Namespace != q.Namespace || r.Pod.Name != q.Name:
		return fmt.Errorf("asked for %s/%s, got %s/%s", q.Namespace, q.Name, r.Pod.Namespace, r.Pod.Name)
	case !r.Pod.Is(q.UID):
		return fmt.Errorf("asked for uid %q, got %q", q.UID, r.Pod.UID)
	}
	return nil
}

// Is reports whether the runtime's uid names this pod: its own uid or, for a
// static pod, its config hash. An empty uid (a runtime that hands none over)
// names every pod of the right name.
func (p *Pod) Is(uid string) bool {
	return uid == "" || uid == p.UID || uid == p.ConfigHash
}

// exchange sends one message and reads one answer on a connection of its own.
func exchange(ctx context.Context, path string, m message) (Response, error) {
	conn, err := send(ctx, path, m)
	if err != nil {
		return Response{}, err
	}
	defer conn.Close()
	return answer(conn, path)
}

// send sends one message on a connection that the caller closes.
func send(ctx context.Context, path string, m message) (net.Conn, error) {
	line, err := encode(m, MaxRequest)
	if err != nil {
		return nil, &Error{Kind: Garbled, Op: "write to", Path: path, Err: err}
	}
	if err := CheckFolder(path); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(line); err != nil {
		return nil, errors.Join(failure("write to", path, err), conn.Close())
	}
	return conn, nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, failure("dial", path, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			conn.Close()
			return nil, failure("dial", path, err)
		}
	}
	return conn, nil
}

func answer(conn net.Conn, path string) (Response, error) {
	line, err := readLine(conn, MaxResponse)
	switch {
	case errors.Is(err, errTooLong):
		return Response{}, &Error{Kind: TooLong, Op: "read", Path: path, Err: err}
	case err != nil:
		return Response{}, failure("read", path, err)
	}
	var res Response
	if err := json.Unmarshal(line, &res); err != nil {
		return Response{}, &Error{Kind: Garbled, Op: "read", Path: path, Err: err}
	}
	switch {
	case !known(res.Version):
		err := fmt.Errorf("it answers in version %d, this side speaks %d", res.Version, Version)
		return Response{}, &Error{Kind: Foreign, Op: "read", Path: path, Err: err}
	case res.Error != "" && res.Kind == TooLong:
		return Response{}, &Error{Kind: TooLong, Op: "ask", Path: path, Err: errors.New(res.Error)}
	case res.Error != "":
		return Response{}, &Error{Kind: Refused, Op: "ask", Path: path, Err: errors.New(res.Error)}
	}
	return res, nil
}

// failure names the kind of a system error.
func failure(op, path string, err error) *Error {
	kind := Garbled
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		kind = Absent
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		kind = Slow
	case errors.Is(err, fs.ErrPermission):
		kind = Untrusted
	}
	return &Error{Kind: kind, Op: op, Path: path, Err: err}
}
