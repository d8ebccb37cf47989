package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// absent is what the page would show if everything had been measured, and does
// not: test functions, targets, or that only some steps were tried.
type absent struct{ Faults, Mutants, Fuzzing, Soak []string }

// None says whether the page is whole.
func (a absent) None() bool {
	return len(a.Faults)+len(a.Mutants)+len(a.Fuzzing)+len(a.Soak) == 0
}

// compare holds what was measured to what the sources below root can measure.
func compare(root string, m measured) (a absent, err error) {
	var faults, soaks []string
	for _, f := range m.Faults {
		faults = append(faults, testOf(f.Where))
	}
	for _, s := range m.Soaks {
		soaks = append(soaks, testOf(s.Where))
	}
	if a.Faults, err = unrecorded(filepath.Join(root, "test/faults"), "recordAt", faults); err != nil {
		return a, err
	}
	if a.Soak, err = unrecorded(filepath.Join(root, "test/soak"), "note", soaks); err != nil {
		return a, err
	}
	if a.Fuzzing, err = unfuzzed(root, m.Fuzzes); err != nil {
		return a, err
	}
	a.Mutants, err = untried(root, m.Mutations)
	return a, err
}

// testOf is the function of a test's name.
func testOf(name string) string {
	function, _, _ := strings.Cut(name, "/")
	return function
}

// unrecorded are the tests of a folder that call a recorder, themselves or by
// way of others, and are not among those that have recorded.
func unrecorded(dir, recorder string, done []string) ([]string, error) {
	calls, err := callsOf(dir)
	if err != nil {
		return nil, err
	}
	recording := map[string]bool{recorder: true}
	for grown := true; grown; {
		grown = false
		for function, called := range calls {
			if !recording[function] && slices.ContainsFunc(called, func(c string) bool { return recording[c] }) {
				recording[function], grown = true, true
			}
		}
	}
	var missing []string
	for function := range recording {
		if strings.HasPrefix(function, "Test") && !slices.Contains(done, function) {
			missing = append(missing, function)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// callsOf lists what the functions of a folder's tests call by a plain name.
func callsOf(dir string) (map[string][]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	calls := map[string][]string{}
	for _, name := range files {
		file, parseErr := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if parseErr != nil {
			return nil, parseErr
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				calls[f.Name.Name] = called(f)
			}
		}
	}
	return calls, err
}

func called(f *ast.FuncDecl) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.Ident); ok {
				names = append(names, name.Name)
			}
		}
		return true
	})
	return names
}

// unfuzzed are the fuzz targets that have no row.
func unfuzzed(root string, done []fuzz) ([]string, error) {
	have := map[string]bool{}
	for _, f := range done {
		have[f.Package+" "+f.Target] = true
	}
	var missing []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); path != root && (strings.HasPrefix(name, ".") || name == "build" || name == "testdata") {
			return fs.SkipDir
		}
		functions, err := callsOf(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, path)
		for function := range functions {
			if target := filepath.ToSlash(dir) + " " + function; strings.HasPrefix(function, "Fuzz") && !have[target] {
				missing = append(missing, target)
			}
		}
		return err
	})
	slices.Sort(missing)
	return missing, err
}

// untried are the targets of test/mutation that have no row.
func untried(root string, done []mutation) ([]string, error) {
	list := exec.Command("go", "run", "./test/mutation", "-list")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the targets of test/mutation: %w", err)
	}
	var missing []string
	for _, target := range strings.Fields(string(out)) {
		if !slices.ContainsFunc(done, func(m mutation) bool { return m.Target == target }) {
			missing = append(missing, target)
		}
	}
	return missing, nil
}
