// Command corpus commits what fuzzing found: of all the inputs that Go's fuzzer
// keeps in the build cache, those few that together reach every statement that
// all of them reach. They go into the package's testdata/fuzz, where each
// `go test` runs them again.
//
//	go run ./test/corpus ./iptables ./builder
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(patterns []string) error {
	cache, err := lines("go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	packages, err := lines("go", append([]string{"list", "-f", "{{.ImportPath}} {{.Dir}}"}, patterns...)...)
	if err != nil {
		return err
	}
	for _, p := range packages {
		path, dir, _ := strings.Cut(p, " ")
		found, err := filepath.Glob(filepath.Join(cache[0], "fuzz", path, "Fuzz*"))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		if err := commit(path, dir, found); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// commit chooses for every target of a package.
func commit(path, dir string, found []string) error {
	scratch, err := os.MkdirTemp("", "sluice-corpus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	program := filepath.Join(scratch, "tests")
	build := exec.Command("go", "test", "-c", "-cover", "-coverpkg=github.com/sluicemesh/sluice/...", "-o", program, ".")
	build.Dir = dir
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	for _, from := range found {
		t := target{dir, program, filepath.Base(from), filepath.Join(scratch, "profile")}
		kept, of, err := t.commit(from)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Printf("%s %s: %d of %d inputs reach what all reach\n", path, t.name, kept, of)
	}
	return nil
}

// target is a fuzz target, compiled to tell what it reaches.
type target struct{ dir, program, name, profile string }

// commit puts the chosen inputs of a directory beside those already committed.
func (t target) commit(from string) (kept, of int, err error) {
	seen, err := t.reaches("^" + t.name + "$")
	if err != nil {
		return 0, 0, err
	}
	inputs, err := bySize(from)
	if err != nil {
		return 0, 0, err
	}
	to := filepath.Join(t.dir, "testdata", "fuzz", t.name)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return 0, 0, err
	}
	for _, in := range inputs {
		useful, err := t.try(in, filepath.Join(to, filepath.Base(in)), seen)
		if err != nil {
			return kept, len(inputs), err
		}
		if useful {
			kept++
		}
	}
	return kept, len(inputs), nil
}

// try copies an input, and takes it away again if it reaches nothing that has
// not been seen.
func (t target) try(in, out string, seen map[string]bool) (useful bool, err error) {
	if _, err := os.Stat(out); err == nil {
		return true, nil
	}
	text, err := os.ReadFile(in)
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(out, text, 0o644); err != nil {
		return false, err
	}
	reached, err := t.reaches("^" + t.name + "$/^" + filepath.Base(out) + "$")
	if err != nil {
		return false, err
	}
	for block := range reached {
		useful = useful || !seen[block]
		seen[block] = true
	}
	if !useful {
		return false, os.Remove(out)
	}
	return true, nil
}

// reaches runs tests and returns the blocks of statements that ran.
func (t target) reaches(tests string) (map[string]bool, error) {
	cmd := exec.Command(t.program, "-test.run", tests, "-test.coverprofile", t.profile)
	cmd.Dir = t.dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", tests, err, text)
	}
	text, err := os.ReadFile(t.profile)
	if err != nil {
		return nil, err
	}
	blocks := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if block, ran := strings.CutSuffix(strings.TrimSpace(line), " 1"); ran {
			blocks[block] = true
		}
	}
	return blocks, nil
}

// bySize lists a directory, the smallest first: of two inputs that reach the
// same, the shorter one is easier to read.
func bySize(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	size := map[string]int64{}
	var paths []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, e.Name())
		paths, size[path] = append(paths, path), info.Size()
	}
	slices.SortStableFunc(paths, func(a, b string) int { return int(size[a] - size[b]) })
	return paths, nil
}

func lines(name string, args ...string) ([]string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), nil
}
