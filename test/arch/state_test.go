package arch

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A package-level variable that is never written is a table. One that is
// written, or that is a lock, a counter or a Once, is state: two callers of the
// package meet in it.
func TestPackagesBelowCmdKeepNoState(t *testing.T) {
	for _, p := range list(t) {
		if r, _ := rank(p.path()); r < 0 || top(p.path()) == "cmd" {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		report(t, state(fset, files))
	}
}

// state lists what the files write at package level, and init functions.
func state(fset *token.FileSet, files []*ast.File) (violations []string) {
	s := stateFinder{uses: uses(fset, files), found: func(n ast.Node, what string) {
		at := fset.Position(n.Pos())
		violations = append(violations, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, what))
	}}
	for _, f := range files {
		for _, d := range f.Decls {
			s.declaration(d)
		}
		ast.Inspect(f, s.write)
	}
	return violations
}

// uses resolves identifiers without loading what the files import: their own
// package-level variables are all that matters, so errors don't.
func uses(fset *token.FileSet, files []*ast.File) map[*ast.Ident]types.Object {
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	_, _ = config.Check("p", fset, files, &info)
	return info.Uses
}

type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, errors.New("not loaded") }

type stateFinder struct {
	uses  map[*ast.Ident]types.Object
	found func(ast.Node, string)
}

func (s stateFinder) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			s.found(d, "init function: start-up does nothing that no one asked for")
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
				s.variable(v)
			}
		}
	}
}

// variable looks for types that exist to be changed.
func (s stateFinder) variable(v *ast.ValueSpec) {
	for _, part := range append([]ast.Expr{v.Type}, v.Values...) {
		if part == nil {
			continue
		}
		ast.Inspect(part, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"sync", "atomic"}, x.Name) {
				s.found(v, fmt.Sprintf("%s is package state (%s.%s)", v.Names[0].Name, x.Name, sel.Sel.Name))
			}
			return true
		})
	}
}

func (s stateFinder) write(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			s.target(left)
		}
	case *ast.IncDecStmt:
		s.target(n.X)
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") {
			s.target(n.Args[0])
		}
	}
	return true
}

// target finds the variable that an assignment changes, wholly or in part.
func (s stateFinder) target(e ast.Expr) {
	switch e := e.(type) {
	case *ast.Ident:
		if v, ok := s.uses[e].(*types.Var); ok && v.Parent() == v.Pkg().Scope() {
			s.found(e, "writes package variable "+e.Name)
		}
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			if _, other := s.uses[x].(*types.PkgName); other {
				s.found(e, fmt.Sprintf("writes %s.%s of another package", x.Name, e.Sel.Name))
			}
		}
		s.target(e.X)
	case *ast.IndexExpr:
		s.target(e.X)
	case *ast.StarExpr:
		s.target(e.X)
	case *ast.ParenExpr:
		s.target(e.X)
	}
}

func TestStateIsFound(t *testing.T) {
	for source, want := range map[string]string{
		`var table = map[string]int{"a": 1}; func f() int { return table["a"] }`: "",
		`func f() { table := 1; table++; _ = table }`:                            "",
		`type t struct{ n int }; func (x *t) f() { x.n = 1 }`:                    "",
		`func init() {}`:                                   "init function",
		`type t struct{}; func (t) init() {}`:              "",
		`var n int; func f() { n = 1 }`:                    "writes package variable n",
		`var n int; func f() { n++ }`:                      "writes package variable n",
		`var m map[int]int; func f() { m[1] = 2 }`:         "writes package variable m",
		`var m map[int]int; func f() { delete(m, 1) }`:     "writes package variable m",
		`var s struct{ a []int }; func f() { s.a[0] = 1 }`: "writes package variable s",
		`var once sync.Once`:                               "once is package state (sync.Once)",
		`var c = new(atomic.Int32)`:                        "c is package state (atomic.Int32)",
		`func f() { os.Args = nil }`:                       "writes os.Args of another package",
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "f.go", "package p\nimport (\"os\"; \"sync\"; \"sync/atomic\")\n"+source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(state(fset, []*ast.File{f}), "\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s\ngot %q, want %q in it", source, got, want)
		}
	}
}
