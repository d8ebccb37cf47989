//go:build !linux

package netns

import (
	"context"
	"net/netip"
)

// Namespace exists on Linux only; here none can be opened.
type Namespace struct{}

// Open returns ErrUnsupported.
func Open(Target) (*Namespace, error) { return nil, ErrUnsupported }

// Own returns ErrUnsupported.
func Own() (ID, error) { return ID{}, ErrUnsupported }

// Host returns ErrUnsupported.
func Host() (ID, error) { return ID{}, ErrUnsupported }

// Close does nothing.
func (n *Namespace) Close() error { return nil }

// ID is the zero ID.
func (n *Namespace) ID() ID { return ID{} }

// Do returns ErrUnsupported.
func (n *Namespace) Do(func() error) error { return ErrUnsupported }

// RefuseOwn returns ErrUnsupported.
func (n *Namespace) RefuseOwn() error { return ErrUnsupported }

// RefuseHost returns ErrUnsupported.
func (n *Namespace) RefuseHost() error { return ErrUnsupported }

// Owner returns ErrUnsupported.
func (n *Namespace) Owner() (ID, bool, error) { return ID{}, false, ErrUnsupported }

// UserEntry returns ErrUnsupported.
func (n *Namespace) UserEntry() (UserEntry, error) { return UserEntry{}, ErrUnsupported }

// UserEntry exists on Linux only; here it is always empty.
type UserEntry struct{}

// Prefix is empty.
func (UserEntry) Prefix() []string { return nil }

// Close does nothing.
func (UserEntry) Close() error { return nil }

// Conn exists on Linux only; here none can be dialled.
type Conn struct{}

// Dial returns ErrUnsupported.
func Dial() (*Conn, error) { return nil, ErrUnsupported }

// Close does nothing.
func (c *Conn) Close() error { return nil }

// Look returns ErrUnsupported.
func (c *Conn) Look(context.Context) (Facts, error) { return Facts{}, ErrUnsupported }

// Hop returns ErrUnsupported.
func (c *Conn) Hop(context.Context, netip.Addr) (Hop, error) { return Hop{}, ErrUnsupported }

// Read returns ErrUnsupported.
func (c *Conn) Read(context.Context) (Plumbing, error) { return Plumbing{}, ErrUnsupported }

// Apply returns ErrUnsupported.
func (c *Conn) Apply(context.Context, Plumbing, []Change) error { return ErrUnsupported }

// Ensure returns ErrUnsupported.
func (c *Conn) Ensure(context.Context, Plumbing) ([]Change, error) { return nil, ErrUnsupported }
