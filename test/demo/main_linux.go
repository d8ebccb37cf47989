// Demo shows on this machine's kernel what interception does. It makes network
// namespaces of its own, programs them with the real sluice, opens real
// connections, prints where they went, and removes what it made:
//
//	make demo
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	program string
	backend mesh.Backend
}

func run(args []string) error {
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	program := f.String("sluice", "bin/sluice", "the program that is shown")
	backend := f.String("backend", "iptables-nft", "how rules reach the kernel: nftables, iptables-nft or iptables-legacy")
	if err := f.Parse(args); err != nil {
		return err
	}
	d := demo{printer: newPrinter(os.Stdout), stage: &stage{}}
	var err error
	if d.backend, err = backendNamed(*backend); err != nil {
		return err
	}
	if d.program, err = filepath.Abs(*program); err != nil {
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
	failures := d.stage.play(func() { d.landing(); d.scenes() })
	if len(failures) > 0 {
		return fmt.Errorf("not as it should be:\n  %s", strings.Join(failures, "\n  "))
	}
	d.line("\n%s", d.paint(green, "All as it should be; everything cleaned up."))
	return nil
}

// command shows a command line as one would type it.
func (d demo) command(args []string) {
	quoted := []string{filepath.Base(args[0])}
	for _, a := range args[1:] {
		if a == "" || strings.ContainsAny(a, "* ") {
			a = "'" + a + "'"
		}
		quoted = append(quoted, a)
	}
	d.line("%s", d.paint(blue, "$ "+strings.Join(quoted, " ")))
}
