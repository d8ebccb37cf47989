package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Result is what the page shows of a target.
type Result struct {
	Target    string
	Mutants   int
	Killed    int
	Stuck     int
	Seconds   int
	Survivors []Survivor
}

// Survivor is a mutant that no test noticed, and why.
type Survivor struct {
	Name string
	Why  string // empty: not explained
}

type report struct {
	partial bool // not every mutant was tried
	print   io.Writer
	results []Result
	stale   []string // explanations of what does not survive
}

func (r *report) add(t target, outcomes iter.Seq[outcome], explained map[string]string) {
	begin := time.Now()
	unused := maps.Clone(explained)
	res := Result{Target: t.dir}
	for o := range outcomes {
		res.Mutants++
		switch o.Verdict {
		case killed:
			res.Killed++
		case stuck:
			res.Stuck++
		case survived:
			why := explained[o.Name()]
			delete(unused, o.Name())
			res.Survivors = append(res.Survivors, Survivor{o.Name(), why})
			if why == "" {
				fmt.Fprintf(r.print, "survived: %s\t(line %d)\n", o.Name(), o.Line)
			}
		}
	}
	took := time.Since(begin)
	res.Seconds = int(took.Seconds())
	fmt.Fprintf(r.print, "%s: %d mutants, %d killed, %d stuck, %d survived, %s\n",
		t.dir, res.Mutants, res.Killed, res.Stuck, len(res.Survivors), took.Round(time.Second))
	r.results = append(r.results, res)
	if !r.partial {
		r.stale = append(r.stale, slices.Sorted(maps.Keys(unused))...)
	}
}

// finish writes the results and fails if nothing was tried, a survivor is not
// explained, or an explanation not needed.
func (r *report) finish(out string) error {
	if out != "" {
		text, err := json.MarshalIndent(r.results, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	tried, unexplained := 0, 0
	for _, res := range r.results {
		tried += res.Mutants
		for _, s := range res.Survivors {
			if s.Why == "" {
				unexplained++
			}
		}
	}
	if tried == 0 {
		return errors.New("no mutant was tried")
	}
	if unexplained > 0 {
		return fmt.Errorf("%d survivors: give each a test, or a line in test/mutation/explained", unexplained)
	}
	if len(r.stale) > 0 {
		return fmt.Errorf("explained, but no mutant of this name survives:\n%s", strings.Join(r.stale, "\n"))
	}
	return nil
}

// readExplained reads the reasons: a paragraph each, first the reason behind
// "# ", then the names of the mutants that it is for. No file, no reasons.
func readExplained(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	reasons := map[string]string{}
	why, inReason := "", false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		comment, isReason := strings.CutPrefix(line, "# ")
		switch {
		case line == "":
			why = ""
		case isReason && inReason:
			why += " " + comment
		case isReason:
			why = comment
		case why == "":
			return nil, fmt.Errorf("%s: %q has no reason above it", path, line)
		default:
			reasons[line] = why
		}
		inReason = isReason
	}
	return reasons, nil
}
