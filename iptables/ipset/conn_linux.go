package ipset

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
)

// Conn is a netlink socket in one network namespace: the one of the thread that
// opened it. Its methods may not be called at the same time.
type Conn struct{ nl *nfnl.Conn }

// Open opens a socket in the calling thread's network namespace.
func Open() (*Conn, error) {
	nl, err := nfnl.Open()
	if err != nil {
		return nil, &Error{Op: "open", Err: err}
	}
	return &Conn{nl}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.nl.Close() }

// filling is the name under which a set is filled.
const filling = "sluice-filling"

// Ensure makes the sets be there with exactly their elements, and says how many
// it had to write. An [*Error] that is Unsupported means a kernel without sets.
func (c *Conn) Ensure(ctx context.Context, sets []Set) (written int, err error) {
	if len(sets) == 0 {
		return 0, nil
	}
	have, err := c.Read(ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range sets {
		at := find(have, s.Name)
		if at >= 0 && have[at].equal(s) {
			continue
		}
		if err := c.write(ctx, s, at >= 0); err != nil {
			return written, err
		}
		written++
	}
	return written, nil
}

// write fills a set aside and puts it in the place of its name.
func (c *Conn) write(ctx context.Context, s Set, exists bool) error {
	aside := s
	aside.Name = filling
	if err := c.destroy(ctx, filling); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := c.do(ctx, "create the set "+s.Name, createMessage(aside)); err != nil {
		return err
	}
	for first := 0; first < aside.size(); first += perMessage {
		if err := c.do(ctx, "fill the set "+s.Name, addMessage(aside, first)); err != nil {
			return errors.Join(err, c.destroy(ctx, filling))
		}
	}
	if !exists {
		return c.pair(ctx, cmdRename, "name the set "+s.Name, filling, s.Name)
	}
	if err := c.pair(ctx, cmdSwap, "replace the set "+s.Name, filling, s.Name); err != nil {
		return err
	}
	return c.destroy(ctx, filling)
}

// Tidy removes the sets of ours that are not to be kept and that no rule uses.
func (c *Conn) Tidy(ctx context.Context, keep []Set) (removed int, err error) {
	names, err := c.names(ctx)
	var e *Error
	if errors.As(err, &e) && e.Unsupported {
		return 0, nil
	}
	for _, name := range names {
		if find(keep, name) >= 0 {
			continue
		}
		switch err := c.destroy(ctx, name); {
		case errors.Is(err, busy), errors.Is(err, unix.ENOENT):
		case err != nil:
			return removed, err
		default:
			removed++
		}
	}
	return removed, err
}

// Check lists, as readable lines, how the sets differ from what rules need.
func (c *Conn) Check(ctx context.Context, sets []Set) ([]string, error) {
	if len(sets) == 0 {
		return nil, nil
	}
	have, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	var diffs []string
	for _, s := range sets {
		at := find(have, s.Name)
		switch {
		case at < 0:
			diffs = append(diffs, "set "+s.Name+": missing")
		case !have[at].equal(s):
			diffs = append(diffs, "set "+s.Name+": holds something else than its name says")
		}
	}
	return diffs, nil
}

// Read lists the sets of ours with their elements.
func (c *Conn) Read(ctx context.Context) ([]Set, error) {
	var all []Set
	err := c.dump(ctx, message(cmdList, nfnl.FlagDump, 0, ""), func() { all = nil }, func(s Set) {
		if n := len(all) - 1; n >= 0 && all[n].Name == s.Name { // a large set comes in parts
			all[n].Elements = append(all[n].Elements, s.Elements...)
			all[n].Ports = joined(append(all[n].Ports, s.Ports...))
			return
		}
		all = append(all, s)
	})
	return all, err
}

// names lists the sets of ours without their elements.
func (c *Conn) names(ctx context.Context) ([]string, error) {
	var all []string
	b := message(cmdList, nfnl.FlagDump, 0, "")
	flags(b, namesOnly)
	err := c.dump(ctx, b, func() { all = nil }, func(s Set) { all = append(all, s.Name) })
	return all, err
}

func (c *Conn) dump(ctx context.Context, b *nfnl.Buffer, restart func(), visit func(Set)) error {
	err := c.nl.Dump(ctx, b, restart, func(_ uint8, body []byte) {
		if s := parseSet(body); Ours(s.Name) {
			visit(s)
		}
	})
	return failed("list sets", err)
}

func (c *Conn) destroy(ctx context.Context, name string) error {
	return c.do(ctx, "destroy the set "+name, message(cmdDestroy, 0, 0, name))
}

// pair sends a command on two sets.
func (c *Conn) pair(ctx context.Context, kind uint16, op, from, to string) error {
	b := message(kind, 0, 0, from)
	b.String(attrTypeName, to)
	return c.do(ctx, op, b)
}

func (c *Conn) do(ctx context.Context, op string, b *nfnl.Buffer) error {
	return failed(op, c.nl.Request(ctx, b, nil))
}

// failed names the operation. A kernel without ip_set does not know the
// subsystem, one without hash:net or bitmap:port not the type.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var refused *nfnl.Error
	e := &Error{Op: op, Err: err}
	if errors.As(err, &refused) {
		e.Unsupported = refused.Errno == unix.EINVAL || refused.Errno == unix.EOPNOTSUPP || refused.Errno == noType
	}
	return e
}
