package rig

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Settle waits, at most two seconds, until the IPv6 addresses of a named
// namespace can be used. The kernel brings them in from a queue (addrconf_wq):
// until then an address is tentative, or has no local route, and on a busy
// machine a packet to it, ::1 too, is lost; who compares states sees a route
// come from nowhere.
func Settle(t testing.TB, name string) {
	t.Helper()
	(&Namespace{Name: name, t: t}).settle()
}

func (n *Namespace) settle() {
	n.t.Helper()
	for end, done := time.Now().Add(2*time.Second), false; ; time.Sleep(time.Millisecond) {
		n.Do(func() { done = settled() })
		if done || time.Now().After(end) {
			return
		}
	}
}

// settled reports whether each address of the calling thread's namespace, on an
// interface that is up, is more than tentative and has its route.
func settled() bool {
	// address, interface's number, prefix, scope, flags, interface
	for _, a := range table("if_inet6") {
		const tentative, failed = 0x40, 0x08 // IFA_F_TENTATIVE, IFA_F_DADFAILED
		flags, dev := hex(a[4]), a[5]
		if i, err := net.InterfaceByName(dev); err != nil || i.Flags&net.FlagUp == 0 || flags&failed != 0 {
			continue
		}
		if flags&tentative != 0 || !routed(a[0], dev) {
			return false
		}
	}
	return true
}

// routed reports whether an address, as /proc writes it, has its local route.
func routed(addr, dev string) bool {
	// destination, prefix, source, prefix, next hop, metric, users, uses, flags, interface
	return slices.ContainsFunc(table("ipv6_route"), func(r []string) bool {
		const local, host = 0x80000000, "80" // RTF_LOCAL, 128
		return r[0] == addr && r[1] == host && hex(r[8])&local != 0 && r[9] == dev
	})
}

// table are the fields of each line of a file in /proc/net; none without IPv6.
func table(name string) (rows [][]string) {
	text, err := os.ReadFile("/proc/thread-self/net/" + name)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

func hex(s string) uint64 {
	v, _ := strconv.ParseUint(s, 16, 64)
	return v
}
