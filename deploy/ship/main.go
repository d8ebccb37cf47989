// Ship makes what is published besides the programs: container images without
// a container engine, bills of material, licence notices. The Makefile builds
// the programs and calls it.
//
//	ship image    -bin build -out dist      OCI archives for every architecture
//	ship sbom     -bin build -out dist      SPDX documents of the programs
//	ship licences -bin build -out dist      checks licences, writes their texts
//	ship lock                               a new deploy/ship/debian.lock, on stdout
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ship:", err)
		os.Exit(1)
	}
}

// options are what the Makefile knows.
type options struct {
	bin      string // holds linux-amd64/ and linux-arm64/ with the programs
	out      string
	cache    string // of Debian packages
	registry string
	version  string
	revision string
	when     time.Time
	only     []string // images; none: all
	stdout   io.Writer
}

func run(args []string, stdout io.Writer) error {
	commands := map[string]func(options) error{"image": images, "sbom": sboms, "licences": licences, "lock": lock}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("want one of image, sbom, licences, lock")
	}
	o := options{stdout: stdout}
	var epoch int64
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.StringVar(&o.bin, "bin", "build", "folder of the programs, by platform")
	f.StringVar(&o.out, "out", "dist", "folder to write to")
	f.StringVar(&o.cache, "cache", "build/debian", "folder of downloaded Debian packages")
	f.StringVar(&o.registry, "registry", "ghcr.io/sluicemesh", "what image names begin with")
	f.StringVar(&o.version, "version", "unknown", "version, also the images' tag")
	f.StringVar(&o.revision, "revision", "unknown", "commit")
	f.Int64Var(&epoch, "time", 0, "time of everything, in seconds since 1970")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	o.when, o.only = time.Unix(epoch, 0), f.Args()
	cache, err := filepath.Abs(o.cache)
	if err != nil {
		return err
	}
	o.cache = cache
	if args[0] != "lock" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return err
		}
	}
	return commands[args[0]](o)
}

// tag is the version as an image's tag may be spelled.
func (o options) tag() string { return strings.ReplaceAll(o.version, "+", "-") }

// program is the path of a program for an architecture of Linux.
func (o options) program(arch, name string) string {
	return filepath.Join(o.bin, "linux-"+arch, name)
}

// arches are those that everything is built for.
func arches() []string { return []string{"amd64", "arm64"} }
