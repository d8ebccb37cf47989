package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	o := commandLine(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.mutation(ctx, ".", targets())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// commandLine are the options, as the flags will set them.
func commandLine(flags *flag.FlagSet) *options {
	o := &options{match: regexp.MustCompile(""), patience: 3 * time.Second, print: os.Stdout}
	flags.StringVar(&o.only, "only", "", "targets to run, separated by commas; empty is all")
	flags.TextVar(o.match, "match", o.match, "`regexp` of the names of the mutants to try; empty is all")
	flags.StringVar(&o.out, "out", "", "`file` to write the results into, as JSON")
	flags.BoolVar(&o.list, "list", false, "print the targets and do nothing")
	flags.IntVar(&o.parallel, "parallel", 2, "mutants tried at once")
	return o
}

// options are what the command line says.
type options struct {
	only, out string
	list      bool
	match     *regexp.Regexp // the empty one is that of every mutant
	parallel  int
	patience  time.Duration // how much longer than usual tests may take before they are stuck
	print     io.Writer
}

// wanted are the targets to be run.
func (o options) wanted(all []target) ([]target, error) {
	if o.only == "" {
		return all, nil
	}
	var list []target
	for _, name := range strings.Split(o.only, ",") {
		i := slices.IndexFunc(all, func(t target) bool { return t.dir == name })
		if i < 0 {
			return nil, fmt.Errorf("no target is named %q", name)
		}
		list = append(list, all[i])
	}
	return list, nil
}

// mutation runs the targets below a module's root and fails if a survivor is
// not explained, or an explanation no longer needed.
func (o options) mutation(ctx context.Context, root string, all []target) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	wanted, err := o.wanted(all)
	if err != nil {
		return err
	}
	if o.list {
		for _, t := range wanted {
			fmt.Fprintln(o.print, t.dir)
		}
		return nil
	}
	scratch, err := os.MkdirTemp("", "sluice-mutation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	r := report{partial: o.match.String() != "", print: o.print}
	for _, t := range wanted {
		explained, err := readExplained(filepath.Join(root, "test/mutation/explained", t.slug()+".txt"))
		if err != nil {
			return err
		}
		outcomes, err := runner{o, root, scratch}.run(ctx, t)
		if err != nil {
			return cmp.Or(ctx.Err(), err)
		}
		r.add(t, outcomes, explained)
		if ctx.Err() != nil { // what was cut short says nothing
			return ctx.Err()
		}
	}
	return r.finish(o.out)
}
