//go:build !linux

package xtables

import (
	"context"
	"time"

	"github.com/sluicemesh/sluice/iptables"
)

// LockPath has a meaning on Linux only.
const LockPath = "/proc/thread-self/ns/net"

type call struct {
	op    string
	argv  []string
	stdin string
}

func onlyLinux(op string) error {
	return &Error{Kind: Unusable, Op: op, Words: "there is no netfilter on this operating system", Hint: "run it on Linux; a dry run works everywhere"}
}

// DefaultPath is empty: there is nothing to look for.
func DefaultPath() []string { return nil }

// Look finds nothing on this operating system.
func Look(context.Context, []string) Env { return Env{} }

// Lock fails on this operating system.
func Lock(context.Context, time.Duration) (func(), error) {
	return nil, onlyLinux("lock the network namespace")
}

func ask(_ context.Context, flavour Flavour, families ...iptables.Family) []Standing {
	var list []Standing
	for _, f := range families {
		list = append(list, Standing{Flavour: flavour, Family: f, Err: onlyLinux("list tables")})
	}
	return list
}

func run(_ context.Context, c call) (string, error) { return "", onlyLinux(c.op) }

func lacksNetRaw() bool { return false }
