// Command reliability writes docs/reliability.md from what `make reliability`
// measured into build/reliability. No number of the page is typed in.
package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var page string

// fault is a record of test/faults.
type fault struct {
	Fault, Where string
	Points       int
	Every        int
	Connections  int
}

// faultRow sums the records of one kind of fault.
type faultRow struct {
	Fault               string
	Tests               int
	Points, Connections int
	Every               int
}

// fuzz is what `go test -fuzz` said last of a target.
type fuzz struct {
	Package, Target, Time string
	Executions            string
}

// soak is a record of test/soak.
type soak struct {
	What, Where   string
	Times         int
	Before, After struct{ Goroutines, Descriptors, HeapKiB, Namespaces int }
	More          string
}

// mutation is a result of test/mutation.
type mutation struct {
	Target                          string
	Mutants, Killed, Stuck, Seconds int
	Survivors                       []struct{ Name, Why string }
}

// measured is what was found in the folder of the measurements.
type measured struct {
	Faults    []fault
	Soaks     []soak
	Fuzzes    []fuzz
	Mutations []mutation
}

func main() {
	if err := write(".", "build/reliability", "docs/reliability.md"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(root, dir, out string) error {
	m, err := read(dir)
	if err != nil {
		return err
	}
	missing, err := compare(root, m)
	if err != nil {
		return err
	}
	text, err := render(m, missing)
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

// read reads the measurements. One that has not been made is none of this
// command's failures: the page says so.
func read(dir string) (m measured, err error) {
	var errs [4]error
	m.Faults, errs[0] = lines[fault](filepath.Join(dir, "faults.json"))
	m.Soaks, errs[1] = lines[soak](filepath.Join(dir, "soak.json"))
	m.Fuzzes, errs[2] = fuzzed(filepath.Join(dir, "fuzz.txt"))
	m.Mutations, errs[3] = mutated(dir)
	for i, err := range errs {
		if errors.Is(err, fs.ErrNotExist) {
			errs[i] = nil
		}
	}
	return m, errors.Join(errs[:]...)
}

func render(m measured, missing absent) ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"code": code}).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	rows, total := sum(m.Faults)
	err = t.Execute(&b, map[string]any{
		"Faults": rows, "Total": total, "Soaks": m.Soaks, "Fuzzes": m.Fuzzes, "Mutations": m.Mutations, "Reasons": reasons(m.Mutations),
		"Missing": missing,
	})
	return b.Bytes(), err
}

// code is names in type of their own: `a`, `b`.
func code(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

// mutated reads the results of one run of test/mutation or of several.
func mutated(dir string) (all []mutation, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "mutation*.json"))
	for _, path := range paths {
		text, readErr := os.ReadFile(path)
		var some []mutation
		err = errors.Join(err, readErr, json.Unmarshal(text, &some))
		all = append(all, some...)
	}
	return all, err
}

// lines reads a JSON value from each line.
func lines[T any](path string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []T
	for dec := json.NewDecoder(f); ; {
		var v T
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, v)
	}
}

// sum adds up the records, kind by kind, in their order.
func sum(faults []fault) (rows []*faultRow, total faultRow) {
	at := map[string]*faultRow{}
	for _, f := range faults {
		row := at[f.Fault]
		if row == nil {
			row = &faultRow{Fault: f.Fault}
			at[f.Fault] = row
			rows = append(rows, row)
		}
		for _, r := range []*faultRow{row, &total} {
			r.Tests++
			r.Points += f.Points
			r.Connections += f.Connections
			r.Every = max(r.Every, f.Every)
		}
	}
	return rows, total
}

var progress = regexp.MustCompile(`^fuzz: elapsed: (\S+), execs: (\d+) `)

// fuzzed reads the output of tools/fuzz.sh.
func fuzzed(path string) ([]fuzz, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []fuzz
	passed := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if words := strings.Fields(s.Text()); len(words) == 4 && words[0] == "==>" {
			all = append(all, fuzz{Package: strings.TrimPrefix(words[1], "github.com/sluicemesh/sluice/"), Target: words[2]})
		} else if m := progress.FindStringSubmatch(s.Text()); m != nil && len(all) > 0 {
			all[len(all)-1].Time, all[len(all)-1].Executions = m[1], m[2]
		}
		if strings.HasPrefix(s.Text(), "ok ") && len(all) > 0 {
			passed = len(all)
		}
		if words := strings.Fields(s.Text()); len(words) == 4 && words[0] == "==>" && passed != len(all)-1 {
			return nil, fmt.Errorf("%s: %s did not pass", path, all[len(all)-2].Target)
		}
	}
	if passed != len(all) {
		return nil, fmt.Errorf("%s: %s did not pass", path, all[len(all)-1].Target)
	}
	return all, nil
}

// reason is why some mutants cannot be told from the original.
type reason struct {
	Why     string
	Mutants []string
}

func reasons(all []mutation) (list []*reason) {
	at := map[string]*reason{}
	for _, m := range all {
		for _, s := range m.Survivors {
			if at[s.Why] == nil {
				at[s.Why] = &reason{Why: s.Why}
				list = append(list, at[s.Why])
			}
			at[s.Why].Mutants = append(at[s.Why].Mutants, s.Name)
		}
	}
	return list
}
