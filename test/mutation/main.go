package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "targets to run, separated by commas; empty is all")
	out := flag.String("out", "", "`file` to write the results into, as JSON")
	parallel := flag.Int("parallel", 2, "mutants tried at once")
	flag.Parse()
	if err := mutation(*only, *out, *parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// mutation runs the targets and fails if a survivor is not explained.
func mutation(only, out string, parallel int) error {
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "sluice-mutation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	explained, err := readExplained(filepath.Join(root, "test/mutation/explained.txt"))
	if err != nil {
		return err
	}
	r := report{explained: explained}
	for _, t := range targets() {
		if only != "" && !strings.Contains(","+only+",", ","+t.dir+",") {
			continue
		}
		begin := time.Now()
		outcomes, err := runner{root, scratch, parallel}.run(t)
		if err != nil {
			return err
		}
		r.add(t, outcomes, time.Since(begin))
	}
	return r.finish(out)
}
