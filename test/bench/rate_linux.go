package main

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// loader is a way to have N excluded ranges in a namespace.
type loader struct {
	name string
	// argv loads n ranges; the ranges are at list, rules for them at rules.
	argv func(ranges, ports string, rules string) []string
}

// point is one measurement of a loader at a size, relative to the same loader
// with no ranges in the same round.
type point struct {
	loader string
	kind   string // CIDRs or ports
	size   int
	rates  []float64 // connections per second, relative
	loads  []float64 // milliseconds
}

const window = 400 * time.Millisecond

// scale measures load time and connection rate of every loader at every size.
func scale(p paths, kinds []string, sizes []int, rounds int) ([]point, error) {
	points := map[string]*point{}
	var order []string
	for range rounds {
		for _, at := range rand.Perm(len(p.loaders())) {
			l := p.loaders()[at]
			for _, kind := range kinds {
				base, _, err := p.rate(l, kind, 0)
				if err != nil {
					return nil, err
				}
				for _, n := range sizes {
					if kind == "ports" && n > 5000 {
						continue
					}
					rate, took, err := p.rate(l, kind, n)
					if err != nil {
						return nil, err
					}
					key := fmt.Sprint(l.name, kind, n)
					if points[key] == nil {
						points[key] = &point{loader: l.name, kind: kind, size: n}
						order = append(order, key)
					}
					points[key].rates = append(points[key].rates, rate/base)
					points[key].loads = append(points[key].loads, float64(took.Microseconds())/1000)
				}
			}
		}
	}
	var list []point
	for _, key := range order {
		list = append(list, *points[key])
	}
	return list, nil
}

// rate loads n ranges in a fresh namespace and counts captured connections.
func (p paths) rate(l loader, kind string, n int) (perSecond float64, took time.Duration, err error) {
	ranges, ports := "", ""
	if kind == "CIDRs" {
		ranges = cidrs(n)
	} else {
		ports = portList(n)
	}
	rules, err := p.rules(ranges, ports)
	if err != nil {
		return 0, 0, err
	}
	err = inFresh(func() error {
		argv := l.argv(ranges, ports, rules)
		begin := time.Now()
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return &commandError{argv[:1], out, err}
		}
		took = time.Since(begin)
		perSecond, err = connections(window)
		return err
	})
	return perSecond, took, err
}

// connections dials an address that the rules redirect to port 15001, over and
// over, and returns how many were accepted a second. Everything happens on this
// thread: it is the one that is in the namespace, and nothing is scheduled.
func connections(during time.Duration) (float64, error) {
	server, err := listener(15001)
	if err != nil {
		return 0, err
	}
	defer unix.Close(server)
	if err := wire(); err != nil {
		return 0, err
	}
	begin, n := time.Now(), 0
	for time.Since(begin) < during {
		if err := oneConnection(server); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// wire gives the namespace an interface, an empty bridge, through which the
// dialled address seems to be reached.
func wire() error {
	for _, words := range []string{
		"link add br0 type bridge", "addr add 192.0.2.2/24 dev br0", "link set br0 up", "route add default via 192.0.2.1",
	} {
		if err := quietly(append([]string{"ip"}, strings.Fields(words)...)); err != nil {
			return err
		}
	}
	return nil
}

func listener(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
		return 0, err
	}
	return fd, unix.Listen(fd, 16)
}

// oneConnection is opened, accepted and reset, so that no port stays taken.
func oneConnection(server int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 80, Addr: [4]byte{198, 51, 100, 9}}); err != nil {
		return fmt.Errorf("a captured connection: %w", err)
	}
	conn, _, err := unix.Accept4(server, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptLinger(conn, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	return unix.Close(conn)
}

// cidrs are n addresses that do not touch each other, none of which is dialled.
// Ten thousand must fit into one argument of 128 KiB.
func cidrs(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("10.0.%d.%d", i>>7, i<<1&0xff)
	}
	return strings.Join(list, ",")
}

func portList(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(20001 + 2*i)
	}
	return strings.Join(list, ",")
}
