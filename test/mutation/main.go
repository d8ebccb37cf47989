package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.only, "only", "", "targets to run, separated by commas; empty is all")
	match := flag.String("match", "", "`regexp` of the names of the mutants to try; empty is all")
	flag.StringVar(&o.out, "out", "", "`file` to write the results into, as JSON")
	flag.IntVar(&o.parallel, "parallel", 2, "mutants tried at once")
	flag.Parse()
	if *match != "" {
		o.match = regexp.MustCompile(*match)
	}
	if err := o.mutation(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	only, out string
	match     *regexp.Regexp // nil: every mutant
	parallel  int
}

// wants tells whether a target is to be run.
func (o options) wants(dir string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), dir)
}

// mutation runs the targets and fails if a survivor is not explained, or an
// explanation no longer needed.
func (o options) mutation() error {
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "sluice-mutation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	r := report{partial: o.match != nil}
	for _, t := range targets() {
		if !o.wants(t.dir) {
			continue
		}
		explained, err := readExplained(filepath.Join(root, "test/mutation/explained", t.slug()+".txt"))
		if err != nil {
			return err
		}
		begin := time.Now()
		outcomes, err := runner{root, scratch, o.match, o.parallel}.run(t)
		if err != nil {
			return err
		}
		r.add(t, outcomes, explained, time.Since(begin))
	}
	return r.finish(o.out)
}
