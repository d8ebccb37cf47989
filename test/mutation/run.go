package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed switch.go.txt
var switchSource string

// verdict is what became of a mutant.
type verdict string

const (
	killed   verdict = "killed"
	stuck    verdict = "stuck" // the tests did not end; noticed too
	survived verdict = "survived"
)

// outcome is a mutant and its end.
type outcome struct {
	Mutant
	Verdict verdict
}

// program is a compiled suite and how long it takes without a mistake.
type program struct {
	suite
	path string
	took time.Duration
}

// runner compiles and runs in a scratch directory.
type runner struct {
	options
	root, scratch string
}

// run tries every mutant of a target.
func (r runner) run(ctx context.Context, t target) (iter.Seq[outcome], error) {
	src, err := load(r.root, t.dir)
	if err != nil {
		return nil, err
	}
	src.only(t.files)
	overlay, mutants, err := r.overlay(t, src)
	if err != nil {
		return nil, err
	}
	mutants = slices.DeleteFunc(mutants, r.unwanted)
	if len(mutants) == 0 {
		return r.all(ctx, nil, nil), nil
	}
	var programs []program
	for i, s := range t.tests {
		p, err := r.compile(ctx, s, overlay, filepath.Join(r.scratch, fmt.Sprintf("%s-%d.test", t.slug(), i)))
		if err != nil {
			return nil, err
		}
		programs = append(programs, p)
	}
	return r.all(ctx, programs, mutants), nil
}

func (r runner) unwanted(m Mutant) bool { return !r.match.MatchString(m.Name()) }

// overlay writes the mutants and the file by which the compiler finds them.
func (r runner) overlay(t target, src *source) (path string, mutants []Mutant, err error) {
	replace := map[string]string{}
	put := func(as, name string, text []byte) error {
		file := filepath.Join(r.scratch, t.slug()+"-"+name)
		replace[as] = file
		return os.WriteFile(file, text, 0o600)
	}
	next := 1
	for _, f := range src.files {
		base := filepath.Base(f.path)
		text, list := mutate(src, f, filepath.Join(t.dir, base), &next)
		mutants = append(mutants, list...)
		if err := put(f.path, base, text); err != nil {
			return "", nil, err
		}
	}
	source := strings.Replace(switchSource, "PACKAGE", src.name, 1)
	if err := put(filepath.Join(src.dir, "zz_mutants.go"), "switch.go", []byte(source)); err != nil {
		return "", nil, err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(r.scratch, t.slug()+"-overlay.json")
	return path, mutants, os.WriteFile(path, text, 0o600)
}

// compile builds a suite with the mutants in it, and sees that it passes while
// none is chosen.
func (r runner) compile(ctx context.Context, s suite, overlay, out string) (program, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", out, "./"+s.dir)
	cmd.Dir = r.root
	if text, err := cmd.CombinedOutput(); err != nil {
		return program{}, fmt.Errorf("compile %s: %w\n%s", s.dir, err, text)
	}
	p := program{suite: s, path: out}
	begin := time.Now()
	if v, text := r.try(ctx, p, 0, 2*time.Minute); v != survived {
		return p, fmt.Errorf("the tests of %s fail without a mutant: %s", s.dir, text[max(0, len(text)-2000):])
	}
	p.took = time.Since(begin)
	return p, nil
}

// all tries the mutants side by side and gives each when its turn comes.
func (r runner) all(ctx context.Context, programs []program, mutants []Mutant) iter.Seq[outcome] {
	fates := make([]chan verdict, len(mutants))
	for i := range fates {
		fates[i] = make(chan verdict, 1)
	}
	go func() {
		turn := make(chan struct{}, r.parallel)
		for i, m := range mutants {
			turn <- struct{}{}
			go func() {
				fates[i] <- r.fate(ctx, programs, m.Number)
				<-turn
			}()
		}
	}()
	return func(yield func(outcome) bool) {
		for i, m := range mutants {
			if !yield(outcome{m, <-fates[i]}) {
				return
			}
		}
	}
}

// fate runs one suite after the other until one notices.
func (r runner) fate(ctx context.Context, programs []program, mutant int) verdict {
	for _, p := range programs {
		if v, _ := r.try(ctx, p, mutant, r.patience+10*p.took); v != survived {
			return v
		}
	}
	return survived
}

func (r runner) try(ctx context.Context, p program, mutant int, limit time.Duration) (verdict, []byte) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, append([]string{"-test.failfast", "-test.short"}, p.args...)...)
	cmd.Dir = filepath.Join(r.root, p.dir)
	cmd.Env = append(os.Environ(), fmt.Sprint("SLUICE_MUTANT=", mutant), "GOMEMLIMIT=1GiB")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return stuck, out
	case err != nil:
		return killed, out
	}
	return survived, out
}
