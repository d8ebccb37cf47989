package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// Mutant is one mistake.
type Mutant struct {
	Number int
	File   string // within the module
	Line   int
	Func   string
	Kind   string
	Text   string // the source that is changed, on one line
}

// Name identifies a mutant whatever its line: "builder/ports.go mergeRanges: never: len(list) == 0".
func (m Mutant) Name() string { return fmt.Sprintf("%s %s: %s: %s", m.File, m.Func, m.Kind, m.Text) }

// mutator collects the mutants of one file.
type mutator struct {
	src     *source
	file    file
	rel     string
	next    *int // number of the next mutant, over all files of a package
	fn      string
	wraps   []wrap
	mutants []Mutant
	done    map[ast.Node]bool // constants are changed as a whole
	returns map[*ast.ReturnStmt]*types.Signature
	notNil  map[*ast.ReturnStmt]string // the error that is known to be set there
}

// mutate returns the text of a file with all its mutants, and their list.
func mutate(src *source, f file, rel string, next *int) ([]byte, []Mutant) {
	m := &mutator{
		src: src, file: f, rel: rel, next: next,
		done: map[ast.Node]bool{}, returns: map[*ast.ReturnStmt]*types.Signature{}, notNil: map[*ast.ReturnStmt]string{},
	}
	for _, d := range f.syntax.Decls {
		m.fn = "package"
		if fn, ok := d.(*ast.FuncDecl); ok {
			m.fn = fn.Name.Name
		}
		if g, ok := d.(*ast.GenDecl); ok && g.Tok != token.VAR {
			continue
		}
		ast.Inspect(d, m.visit)
	}
	return apply(f.text, m.wraps), m.mutants
}

func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ArrayType, *ast.StructType, *ast.InterfaceType, *ast.FuncType, *ast.FieldList:
		return false // types, where constants must stay
	case *ast.GenDecl:
		return n.Tok == token.VAR
	case *ast.FuncDecl:
		m.enter(n.Body, m.src.info.Defs[n.Name].Type().(*types.Signature))
	case *ast.FuncLit:
		m.enter(n.Body, m.src.info.TypeOf(n).(*types.Signature))
	case *ast.BlockStmt:
		m.statements(n.List)
	case *ast.CaseClause:
		m.statements(n.Body)
	case *ast.IfStmt:
		m.seeFailure(n)
		m.condition(n.Cond)
	case *ast.ForStmt:
		m.loop(n.Cond)
	case *ast.LabeledStmt:
		m.done[n.Stmt] = true
	case *ast.RangeStmt:
		m.emptyRange(n)
	case *ast.SwitchStmt:
		m.cases(n)
	case *ast.ReturnStmt:
		m.results(n)
	case *ast.CompositeLit:
		m.literal(n)
	case *ast.CallExpr:
		m.sizeHint(n)
		m.variadic(n)
	}
	if e, ok := n.(ast.Expr); ok {
		return m.expression(e)
	}
	return true
}

// add numbers a mutant and puts its text around a range; before and after may
// hold %d for the number.
func (m *mutator) add(kind string, n ast.Node, before, after string) {
	m.note(kind, m.text(n))
	number := *m.next
	fill := func(s string) string { return strings.ReplaceAll(s, "%d", fmt.Sprint(number)) }
	m.wraps = append(m.wraps, wrap{m.at(n.Pos()), m.at(n.End()), fill(before), fill(after), len(m.wraps)})
	m.mutants[len(m.mutants)-1].Line = m.line(n)
	*m.next++
}

func (m *mutator) note(kind, text string) {
	m.mutants = append(m.mutants, Mutant{*m.next, m.rel, 0, m.fn, kind, oneLine(text)})
}

func (m *mutator) at(p token.Pos) int { return m.src.fset.Position(p).Offset }

func (m *mutator) line(n ast.Node) int { return m.src.fset.Position(n.Pos()).Line }

func (m *mutator) text(n ast.Node) string { return string(m.file.text[m.at(n.Pos()):m.at(n.End())]) }

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return s
}

// typeName spells a type as the file would, or "" if it cannot be spelt there.
func (m *mutator) typeName(t types.Type) string {
	if t == nil {
		return ""
	}
	if b, ok := t.(*types.Basic); ok && (b.Info()&types.IsUntyped != 0 || b.Kind() == types.Invalid) {
		return ""
	}
	if _, ok := t.(*types.Tuple); ok {
		return ""
	}
	missing := false
	name := types.TypeString(t, func(p *types.Package) string {
		if p == m.src.pkg {
			return ""
		}
		alias := m.importName(p)
		missing = missing || alias == ""
		return alias
	})
	if missing || hidden(t, m.src.pkg) {
		return ""
	}
	return name
}

// hidden says whether a type is another package's own.
func hidden(t types.Type, pkg *types.Package) bool {
	switch t := t.(type) {
	case *types.Named:
		return t.Obj().Pkg() != nil && t.Obj().Pkg() != pkg && !t.Obj().Exported()
	case *types.Slice:
		return hidden(t.Elem(), pkg)
	case *types.Pointer:
		return hidden(t.Elem(), pkg)
	}
	return false
}

func (m *mutator) importName(p *types.Package) string {
	for _, spec := range m.file.syntax.Imports {
		if strings.Trim(spec.Path.Value, `"`) != p.Path() {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return p.Name()
	}
	return ""
}
