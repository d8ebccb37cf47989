//go:build linux

// Testsidecar runs the tests' sidecar, server and client as processes of their
// own, where a test or demonstration wants those:
//
//	testsidecar sidecar [-mode report|forward] [-tproxy] [-out N] [-in N] [-tunnel N] [-dns N] [-upstream ADDR:PORT]
//	testsidecar app NAME ADDR:PORT...
//	testsidecar ask [-network tcp|udp] ADDR:PORT
//	testsidecar get ADDR:PORT
//
// Ask prints who took the connection, get what an HTTP server saw of a request.
// The first two print "ready" once they listen, and serve until SIGTERM or
// SIGINT.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluicemesh/sluice/test/sidecar"
	"github.com/sluicemesh/sluice/test/sock"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testsidecar:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	commands := map[string]func([]string) error{"sidecar": runSidecar, "app": runApp, "ask": ask, "get": get}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("want one of: sidecar, app, ask, get")
	}
	return commands[args[0]](args[1:])
}

func runSidecar(args []string) error {
	config, err := parse(args)
	if err != nil {
		return err
	}
	s, err := sidecar.Start(config)
	if err != nil {
		return err
	}
	defer s.Close()
	return untilTold()
}

func parse(args []string) (sidecar.Config, error) {
	c := sidecar.Config{Net: sock.Host{}, Ports: sidecar.DefaultPorts()}
	f := flag.NewFlagSet("sidecar", flag.ContinueOnError)
	f.Func("mode", "report answers each connection itself, forward passes it on", func(s string) (err error) {
		c.Handler, err = handler(s)
		return err
	})
	f.BoolVar(&c.Transparent, "tproxy", false, "In listens transparently")
	for name, port := range map[string]*uint16{"out": &c.Ports.Out, "in": &c.Ports.In, "tunnel": &c.Ports.Tunnel, "dns": &c.Ports.DNS} {
		f.Func(name, "port of this listener, 0 for none", func(s string) error {
			_, err := fmt.Sscan(s, port)
			return err
		})
	}
	f.Func("upstream", "resolver to which DNS is relayed", func(s string) error {
		to, err := netip.ParseAddrPort(s)
		c.Resolver = sidecar.Relay{Net: c.Net, Upstream: to}
		return err
	})
	return c, f.Parse(args)
}

func handler(mode string) (sidecar.Handler, error) {
	switch mode {
	case "report":
		return sidecar.Answer{}, nil
	case "forward":
		return sidecar.Forward{}, nil
	default:
		return nil, errors.New("want report or forward")
	}
}

func runApp(args []string) error {
	if len(args) < 2 {
		return errors.New("want a name and at least one address")
	}
	a, err := sidecar.StartApp(sock.Host{}, args[0], args[1:]...)
	if err != nil {
		return err
	}
	defer a.Close()
	return untilTold()
}

func untilTold() error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	<-told
	return nil
}

func ask(args []string) error {
	f := flag.NewFlagSet("ask", flag.ContinueOnError)
	network := f.String("network", "tcp", "tcp or udp")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := sidecar.Ask(sock.Host{}, *network, f.Arg(0))
	if err != nil {
		return err
	}
	_, err = fmt.Println(r)
	return err
}

func get(args []string) error {
	if len(args) != 1 {
		return errors.New("want an address")
	}
	to, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	status, seen, err := sidecar.Get(sock.Host{}, to, "from-the-command-line")
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(seen, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%d\n%s\n", status, text)
	return err
}
