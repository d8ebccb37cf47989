package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// way is one way for connections from outside to reach a listener in the pod.
type way struct {
	name string
	port int // the listener's; clients dial 8080
	// rules are command lines, run in the pod.
	rules [][]string
}

const (
	inboundCalls  = 1500 // connections in a round of a way
	inboundRounds = 31
	firstPort     = 20000 // of the clients
)

// ways are what interception of inbound connections costs, taken apart.
func (p paths) ways() []way {
	iptables := func(words string) []string { return strings.Fields("iptables-nft -w -t " + words) }
	tproxy := append(p.sluice("iptables-nft"), "-m", "TPROXY")
	byState := [][]string{tproxy, iptables("mangle -I ISTIO_TPROXY -p tcp -m conntrack --ctstate ESTABLISHED -j ISTIO_DIVERT")}
	untracked := [][]string{tproxy, iptables("raw -A PREROUTING -p tcp --dport 8080 -j CT --notrack"), iptables("raw -A OUTPUT -p tcp --sport 8080 -j CT --notrack")}
	return []way{
		{"no rules", 8080, nil},
		{"no rules, but conntrack on", 8080, [][]string{strings.Fields("iptables-nft -w -A INPUT -m conntrack --ctstate INVALID")}},
		{"one rule, TPROXY of what opens a connection, without conntrack", 15006, [][]string{iptables("mangle -A PREROUTING -p tcp --syn -j TPROXY --on-port 15006")}},
		{"REDIRECT", 15006, [][]string{p.sluice("iptables-nft")}},
		{"TPROXY", 15006, [][]string{tproxy}},
		{"TPROXY, `--ctstate ESTABLISHED` instead of the socket (unsound)", 15006, byState},
		{"TPROXY, what is captured kept out of conntrack (unsound)", 15006, untracked},
	}
}

// inbound measures every way in every round.
func (p paths) inbound(rounds int) ([]taken, error) {
	var list []taken
	for _, w := range p.ways() {
		list = append(list, taken{name: w.name})
	}
	for range rounds {
		for i, w := range p.ways() {
			took, err := w.once()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			list[i].micros = append(list[i].micros, float64(took.Nanoseconds())/1000/inboundCalls)
		}
	}
	return list, nil
}

// once takes the time of a round's connections to a fresh pod.
func (w way) once() (took time.Duration, err error) {
	err = inFresh(func() error {
		clients, err := outside(inboundCalls)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		for _, argv := range w.rules {
			if err := quietly(argv); err != nil {
				return err
			}
		}
		server, err := transparent(w.port)
		if err != nil {
			return err
		}
		defer unix.Close(server)
		begin := time.Now()
		for _, fd := range clients {
			if err := call(fd, server); err != nil {
				return err
			}
		}
		took = time.Since(begin)
		return nil
	})
	return took, err
}

// outside makes a neighbour of the namespace that the thread is in, joined by a
// veth pair, and opens n sockets in it. They live on when the thread is back.
func outside(n int) ([]int, error) {
	pod, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer pod.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	holder := exec.Command("sleep", "60") // by whose number ip knows the neighbour
	if err := holder.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	var fds []int
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
		// A port of its own: by conntrack's state the next connection from a port is lost after a reset.
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: firstPort + i}); err != nil {
			return fds, err
		}
	}
	if err := unix.Setns(int(pod.Fd()), unix.CLONE_NEWNET); err != nil {
		return fds, err
	}
	enter := fmt.Sprintf("nsenter -t %d -n ", holder.Process.Pid)
	for _, words := range []string{
		fmt.Sprintf("ip link add eth0 type veth peer name eth0 netns %d", holder.Process.Pid),
		"ip addr add 192.0.2.2/24 dev eth0", "ip link set eth0 up",
		enter + "ip addr add 192.0.2.1/24 dev eth0", enter + "ip link set eth0 up",
	} {
		if err := quietly(strings.Fields(words)); err != nil {
			return fds, err
		}
	}
	return fds, nil
}

// transparent is a listener that takes what TPROXY brings it.
func transparent(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1); err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
		return 0, err
	}
	return fd, unix.Listen(fd, 16)
}

// call is one connection: a question, an answer, and an end that keeps no port.
func call(client, server int) error {
	if err := unix.Connect(client, &unix.SockaddrInet4{Port: 8080, Addr: [4]byte{192, 0, 2, 2}}); err != nil {
		return err
	}
	conn, _, err := unix.Accept4(server, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(conn)
	var text [128]byte
	for _, way := range [][2]int{{client, conn}, {conn, client}} {
		if _, err := unix.Write(way[0], text[:]); err != nil {
			return err
		}
		if _, err := unix.Read(way[1], text[:]); err != nil {
			return err
		}
	}
	return unix.SetsockoptLinger(conn, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
