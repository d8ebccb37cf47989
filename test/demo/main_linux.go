// Demo shows on this machine's kernel what interception does. It makes network
// namespaces of its own, programs them with the real sluice, opens real
// connections, prints where they went, and removes what it made:
//
//	make demo
//	make demo DEMOFLAGS=--keep
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/mesh"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one showing.
type demo struct {
	printer
	stage   *stage
	program string // sluice
	output  string // directory for what is no text
	backend mesh.Backend
	keep    bool
	long    time.Duration // of the load
	atATime int           // connections of the load
	ended   chan struct{} // closed when the user has had enough
}

func run(args []string) error {
	d := demo{printer: newPrinter(os.Stdout), stage: &stage{}, ended: make(chan struct{})}
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.StringVar(&d.program, "sluice", "bin/sluice", "the `program` that is shown")
	f.StringVar(&d.output, "output", "build", "`directory` for the picture and the captures")
	f.BoolVar(&d.keep, "keep", false, "leave everything in place until Ctrl-C, and say what to try")
	f.DurationVar(&d.long, "load", 3*time.Second, "how long connections are opened while the rules change")
	f.IntVar(&d.atATime, "connections", 200, "how many of them at a time")
	backend := f.String("backend", "iptables-nft", "how rules reach the kernel: nftables, iptables-nft or iptables-legacy")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if d.backend, err = backendNamed(*backend); err != nil {
		return err
	}
	if d.program, err = filepath.Abs(d.program); err != nil {
		return err
	}
	return d.show()
}

func backendNamed(name string) (mesh.Backend, error) {
	var known []string
	for _, b := range mesh.Backends() {
		if b.Name == name {
			return b, nil
		}
		known = append(known, b.Name)
	}
	return mesh.Backend{}, fmt.Errorf("backend %q: want one of %s", name, strings.Join(known, ", "))
}

func (d demo) show() error {
	go d.cleanUpWhenTold()
	failures := d.stage.play(func() {
		d.landing()
		m := d.scenes()
		d.names(m)
		d.load()
		if d.keep {
			d.wait(m)
		}
	})
	if len(failures) > 0 {
		return fmt.Errorf("not as it should be:\n  %s", strings.Join(failures, "\n  "))
	}
	d.line("\n%s", d.paint(green, "All as it should be; everything cleaned up."))
	return nil
}

// cleanUpWhenTold ends the showing properly on Ctrl-C, and when nobody reads it
// any more.
func (d demo) cleanUpWhenTold() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	<-told
	if d.stage.waiting.Load() {
		close(d.ended)
		return
	}
	d.stage.cleanUp()
	os.Exit(1)
}

// command shows a command line as one would type it.
func (d demo) command(args []string) {
	short := append([]string{filepath.Base(args[0])}, args[1:]...)
	d.line("%s", d.paint(blue, "$ "+typed(short)))
}

func typed(args []string) string {
	var quoted []string
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, "* ") {
			a = "'" + a + "'"
		}
		quoted = append(quoted, a)
	}
	return strings.Join(quoted, " ")
}
