package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The node agent, the plugin and what they are made of run for weeks on each
// node: a goroutine that stays is memory that never comes back.
var watched = []string{"cni", "cmd", "interception", "netns", "internal", "validation"}

// TestPackagesThatStartGoroutinesWantThemToEnd holds that their tests end by
// looking for goroutines that are left, through leak's or rig's Main.
func TestPackagesThatStartGoroutinesWantThemToEnd(t *testing.T) {
	for _, p := range list(t) {
		files := parsed(t, p)
		if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 || leakChecked(files) || p.path() == "test/leak" {
			continue
		}
		switch {
		case slices.ContainsFunc(watched, func(dir string) bool { return under(p.path(), dir) }):
			t.Errorf("%s: got tests without a check for goroutines that are left, want one, since this runs in pods and on nodes: add func TestMain(m *testing.M) { leak.Main(m) }", p.path())
		case startsGoroutines(files):
			t.Errorf("%s: got goroutines and no check that they end, want one: add func TestMain(m *testing.M) { leak.Main(m) }", p.path())
		}
	}
}

// parsed are a package's files, its tests' too.
func parsed(t *testing.T, p pkg) (files []*ast.File) {
	t.Helper()
	for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// leakChecked says whether a TestMain ends in Main or Run of leak or rig.
func leakChecked(files []*ast.File) bool {
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "TestMain" {
				return finds(fn.Body, checksLeaks)
			}
		}
	}
	return false
}

func checksLeaks(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch fn := call.Fun.(type) {
	case *ast.Ident: // in rig's own tests
		return fn.Name == "Main"
	case *ast.SelectorExpr:
		from, ok := fn.X.(*ast.Ident)
		return ok && slices.Contains([]string{"leak.Main", "leak.Run", "rig.Main"}, from.Name+"."+fn.Sel.Name)
	}
	return false
}

// startsGoroutines says whether there is a go statement, or a call of a method
// named Go, as those of groups are.
func startsGoroutines(files []*ast.File) bool {
	return slices.ContainsFunc(files, func(f *ast.File) bool {
		return finds(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				return true
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				return ok && method.Sel.Name == "Go"
			}
			return false
		})
	})
}

func finds(in ast.Node, what func(ast.Node) bool) (found bool) {
	ast.Inspect(in, func(n ast.Node) bool {
		found = found || n != nil && what(n)
		return !found
	})
	return found
}

func TestThisFileSeesGoroutinesAndChecks(t *testing.T) {
	for _, x := range []struct {
		code           string
		starts, checks bool
	}{
		{"func f() { go g() }", true, false},
		{"func f() { wait.Go(g) }", true, false},
		{"func f() { g() }", false, false},
		{"func TestMain(m *testing.M) { os.Exit(m.Run()) }", false, false},
		{"func TestMain(m *testing.M) { leak.Main(m) }", false, true},
		{"func TestMain(m *testing.M) { if child() { return }; rig.Main(m) }", false, true},
		{"func TestMain(m *testing.M) { os.Exit(leak.Run(m)) }", false, true},
		{"func f(m *testing.M) { leak.Main(m) }", false, false},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+strings.TrimSpace(x.code), 0)
		if err != nil {
			t.Fatal(err)
		}
		if starts, checks := startsGoroutines([]*ast.File{f}), leakChecked([]*ast.File{f}); starts != x.starts || checks != x.checks {
			t.Errorf("%s: got starts %v, checks %v, want %v, %v", x.code, starts, checks, x.starts, x.checks)
		}
	}
}
