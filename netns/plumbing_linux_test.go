package netns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

func full(mark, table uint32) Plumbing {
	p := TProxy(mark, table, iptables.V4, iptables.V6)
	p.Addrs = []Addr{SixAddr()}
	return p
}

// state is what iproute2, an independent reader, sees of the whole namespace.
func state(t *testing.T, name string) string {
	rig.Settle(t, name)
	return in(t, name, `ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all; ip -o addr | sed "s/ *$//"`)
}

func TestEnsureMakesWhatIproute2Lists(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up")
	got := ensure(t, dial(t, name), full(0x539, 133))
	same(t, "changes", strings.Join(got, "\n"), strings.Join([]string{
		"ip -6 addr add ::6/128 dev lo nodad",
		"ip -4 route add local 0.0.0.0/0 dev lo table 133 protocol 201",
		"ip -6 route add local ::/0 dev lo table 133 protocol 201",
		"ip -4 rule add fwmark 0x539 lookup 133 protocol 201",
		"ip -6 rule add fwmark 0x539 lookup 133 protocol 201",
	}, "\n"))
	s := state(t, name)
	for line, n := range map[string]int{
		"from all fwmark 0x539 lookup 133 proto 201":                       2,
		"local default dev lo table 133 proto 201 scope host":              1,
		"local default dev lo table 133 proto 201 metric 1024 pref medium": 1,
		"inet6 ::6/128 scope global":                                       1,
	} {
		if got := strings.Count(s, line); got != n {
			t.Errorf("%q is listed %d times, want %d, in\n%s", line, got, n, s)
		}
	}
}

func TestPrintedCommandsMakeTheSameState(t *testing.T) {
	ours, theirs := fresh(t), fresh(t)
	want := full(0x2a, 4242)
	in(t, ours, "ip link set lo up")
	in(t, theirs, "ip link set lo up")
	ensure(t, dial(t, ours), want)
	in(t, theirs, strings.Join(want.Commands(), " && "))
	same(t, "state by commands", state(t, theirs), state(t, ours))
	same(t, "changes after the commands", ensure(t, dial(t, theirs), want), []string{})
}

func TestSecondRunWritesNothing(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up")
	ensure(t, dial(t, name), full(0x539, 133))
	before := state(t, name)
	same(t, "second run", ensure(t, dial(t, name), full(0x539, 133)), []string{})
	same(t, "state", state(t, name), before)
}

func TestZeroPlumbingRestoresTheNamespace(t *testing.T) {
	name := fresh(t)
	in(t, name, `ip link set lo up; ip rule add fwmark 7 lookup 70; ip -6 rule add fwmark 7 lookup 70;
		ip route add local default dev lo table 70; ip -6 route add local default dev lo table 70; ip -6 addr add 2001:db8::1/128 dev lo`)
	before := state(t, name)
	ensure(t, dial(t, name), full(0x539, 133))
	if state(t, name) == before {
		t.Fatal("nothing was made")
	}
	ensure(t, dial(t, name), Plumbing{})
	same(t, "state after removal", state(t, name), before)
}

func TestOtherMarkAndTableReplaceOurs(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up")
	c := dial(t, name)
	ensure(t, c, full(0x539, 133))
	ensure(t, c, full(0x10, 4000000000))
	other := fresh(t)
	in(t, other, "ip link set lo up")
	ensure(t, dial(t, other), full(0x10, 4000000000))
	strip := func(s string) string { return in(t, name, fmt.Sprintf("echo '%s' | sed 's/^[0-9]*://'", s)) }
	same(t, "state", strip(state(t, name)), strip(state(t, other)))
}

func TestDuplicatesOfOursAreCleaned(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up")
	for range 3 {
		in(t, name, "ip -4 rule add fwmark 0x539 lookup 133 protocol 201; ip -6 rule add pref 900 fwmark 0x539/0xff lookup 133 protocol 201 2>/dev/null; true")
	}
	c := dial(t, name)
	ensure(t, c, full(0x539, 133))
	same(t, "rules", strings.Count(state(t, name), "lookup 133 proto 201"), 2)
	same(t, "next run", ensure(t, c, full(0x539, 133)), []string{})
}

func TestOddRulesAndRoutesWithOurNumberAreRemovedExactly(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up; ip link add br0 type bridge; ip link set br0 up")
	before := state(t, name)
	in(t, name, `ip rule add from 192.0.2.0/24 to 198.51.100.1 iif br0 fwmark 1 lookup 9 protocol 201
		ip rule add not fwmark 0x5 lookup 8 protocol 201
		ip rule add pref 77 tos 0x10 ipproto tcp dport 80-90 uidrange 5-9 blackhole protocol 201
		ip -6 rule add from 2001:db8::/32 oif br0 lookup 9 suppress_prefixlength 0 protocol 201
		ip route add 198.51.100.0/24 dev br0 metric 5 protocol 201
		ip -6 route add 2001:db8:1::/48 dev br0 protocol 201
		ip route add blackhole 203.0.113.0/24 table 5 protocol 201`)
	have := read(t, dial(t, name))
	same(t, "found", len(have.Rules)+len(have.Routes), 7)
	weird := state(t, name)
	c := dial(t, name)
	ensure(t, c, Plumbing{})
	same(t, "state after removal", state(t, name), before)
	ensure(t, c, have)
	same(t, "state put back", state(t, name), weird)
}

func TestWhatOthersProvideIsNeitherDuplicatedNorRemoved(t *testing.T) {
	name := fresh(t)
	in(t, name, `ip link set lo up; ip rule add fwmark 0x539 lookup 133; ip -6 rule add fwmark 0x539 lookup 133
		ip route add local default dev lo table 133; ip -6 route add local default dev lo table 133; ip -6 addr add ::6/128 dev lo`)
	before := state(t, name)
	c := dial(t, name)
	same(t, "changes", ensure(t, c, full(0x539, 133)), []string{})
	same(t, "removal", ensure(t, c, Plumbing{}), []string{})
	same(t, "state", state(t, name), before)
}

func TestFailedChangeUndoesTheOnesBefore(t *testing.T) {
	name := fresh(t) // lo is down: the IPv6 route cannot be added
	c := dial(t, name)
	in(t, name, "ip -4 rule add fwmark 0x1 lookup 99 protocol 201")
	before := state(t, name)
	_, err := c.Ensure(context.Background(), full(0x539, 133))
	var failed *ApplyError
	if !errors.As(err, &failed) || !errors.Is(err, unix.ENETDOWN) || failed.Undo != nil {
		t.Fatalf("got %v, want an ApplyError of a network that is down, undone", err)
	}
	same(t, "error", err, "ip -6 route add local ::/0 dev lo table 133 protocol 201: network is down (lo is down: ip link set lo up)")
	same(t, "state", state(t, name), before)
}

func TestIPv4PlumbingWorksWithIPv6SwitchedOff(t *testing.T) {
	name := fresh(t)
	in(t, name, "ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
	c := dial(t, name)
	same(t, "changes", len(ensure(t, c, TProxy(0x539, 133, iptables.V4))), 2)
	_, err := c.Ensure(context.Background(), Plumbing{Addrs: []Addr{SixAddr()}})
	if !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "disable_ipv6") {
		t.Errorf("::6 on a disabled lo: got %v, want EACCES with the sysctl as hint", err)
	}
}

func TestExpiredContextChangesNothing(t *testing.T) {
	name := fresh(t)
	before := state(t, name)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := dial(t, name).Ensure(ctx, TProxy(1, 2, iptables.V4))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	same(t, "state", state(t, name), before)
}
