package validation_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
	"github.com/sluicemesh/sluice/test/rig"
	"github.com/sluicemesh/sluice/validation"
)

func TestMain(m *testing.M) { rig.Main(m) }

// parse makes a configuration from "flag=value" words.
func parse(t testing.TB, words ...string) builder.Config {
	t.Helper()
	var inputs []builder.Input
	for _, w := range words {
		flag, value, _ := strings.Cut(w, "=")
		inputs = append(inputs, builder.Input{Flag: flag, Value: value, Origin: "test"})
	}
	p, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		t.Fatalf("parse %v: %v", words, err)
	}
	return p.Config
}

// pod is a rig whose pod has what apply makes beside the rules.
func pod(t testing.TB, c builder.Config) *rig.Rig {
	t.Helper()
	r := rig.New(t)
	r.Pod.IP("addr", "add", "::6/128", "dev", "lo")
	if c.TProxied() {
		for _, command := range netns.TProxy(uint32(c.TProxyMark), uint32(c.TProxyTable), iptables.Families()...).Commands() {
			if words := strings.Fields(command); !strings.Contains(command, " addr ") {
				r.Pod.IP(words[1:]...)
			}
		}
	}
	settle(t, r)
	return r
}

// settle waits until the pod's addresses are usable, which the kernel does in
// the background even without duplicate address detection.
func settle(t testing.TB, r *rig.Rig) {
	t.Helper()
	for range 300 {
		if strings.TrimSpace(r.Pod.IP("-6", "addr", "show", "tentative")) == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the pod's IPv6 address stays tentative")
}

func load(r *rig.Rig, flavour rig.Flavour, rules ...iptables.Ruleset) {
	for _, rs := range rules {
		r.Pod.Restore(flavour, rig.Family(rs.Family), iptables.Render(rs))
	}
}

// built are the rules of both families.
func built(c builder.Config) []iptables.Ruleset {
	return []iptables.Ruleset{builder.Build(c, iptables.V4), builder.Build(c, iptables.V6)}
}

// validate runs what the product runs, in the pod.
func validate(t testing.TB, r *rig.Rig, c builder.Config, change func(*validation.Facts), o validation.Options) validation.Report {
	t.Helper()
	var report validation.Report
	r.Pod.Do(func() {
		ctx := context.Background()
		f, err := validation.Gather(ctx, iptables.Families(), 15002, false)
		if err != nil {
			t.Errorf("gather: %v", err)
			return
		}
		if change != nil {
			change(&f)
		}
		if report, err = validation.Run(ctx, c, f, validation.Plan(c, f), o); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return report
}

func text(r validation.Report) string {
	var b strings.Builder
	_ = r.Text(&b)
	return b.String()
}

// watch records what arrives in the world by the pod's interface, until the
// returned function is called. What the link itself says is left out: ARP, and
// ICMPv6 between link-local addresses.
func watch(t testing.TB, r *rig.Rig) func() []string {
	t.Helper()
	fd := -1
	r.World.Do(func() {
		var err error
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL))); err != nil {
			t.Fatalf("capture: %v", err)
		}
	})
	timeout := unix.Timeval{Usec: 20_000}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		t.Fatal(err)
	}
	var (
		mu   sync.Mutex
		seen []string
		stop = make(chan struct{})
		done = make(chan struct{})
	)
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for stopping := false; ; {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if s := describe(b[:max(n, 0)]); err == nil && s != "" {
				mu.Lock()
				seen = append(seen, s)
				mu.Unlock()
			}
			if err != nil && stopping {
				return
			}
			select {
			case <-stop:
				stopping = true
			default:
			}
		}
	}()
	return func() []string {
		close(stop)
		<-done
		unix.Close(fd)
		return seen
	}
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// describe is "" for what is no probe's: neither IP nor sent beyond the link.
func describe(b []byte) string {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		return fmt.Sprintf("%s > %s protocol %d: % x", src, dst, b[9], b[20:])
	case len(b) >= 40 && b[0]>>4 == 6:
		src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		const hopByHop, icmp = 0, 58
		if next := b[6]; next == hopByHop || next == icmp {
			return ""
		}
		return fmt.Sprintf("%s > %s protocol %d: % x", src, dst, b[6], b[40:])
	}
	return ""
}

// quick is a run that does not wait for rules that are known to be there.
func quick() validation.Options { return validation.Options{Settled: true, Timeout: 5 * time.Second} }
