package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

// expression changes constants and operators. It says whether to look inside.
func (m *mutator) expression(e ast.Expr) bool {
	tv, known := m.src.info.Types[e]
	if !known || m.done[e] {
		return !m.done[e]
	}
	if tv.IsType() {
		return false
	}
	if tv.Value != nil {
		m.constant(e, tv)
		return false
	}
	if b, ok := e.(*ast.BinaryExpr); ok {
		m.operator(b, tv.Type)
	}
	return true
}

// constant replaces a constant: by its neighbour among the constants of its
// type, by the next number, by its opposite, by the empty text.
func (m *mutator) constant(e ast.Expr, tv types.TypeAndValue) {
	if isBool(tv.Type) {
		m.add("invert", e, "(mutant(%d) != ", ")")
		return
	}
	name := m.typeName(tv.Type)
	if name == "" {
		return
	}
	if sibling := m.sibling(e, tv); sibling != "" {
		m.add("take "+sibling, e, "mutantPick["+name+"](%d, ", ", "+sibling+")")
		return
	}
	switch tv.Value.Kind() {
	case constant.Int:
		step := "+1"
		if v, ok := constant.Uint64Val(tv.Value); ok && (v == 255 || v == 65535 || v == 1<<32-1 || v == 1<<63-1 || v == 1<<64-1) {
			step = "-1"
		}
		m.add(step, e, "mutantPick["+name+"](%d, ", ", "+m.text(e)+step+")")
	case constant.String:
		if v := constant.StringVal(tv.Value); v != "" && !strings.ContainsAny(v, " %") { // not what people read
			m.add("empty", e, "mutantPick["+name+"](%d, ", `, "")`)
		}
	}
}

// sibling is another constant of the type of a named one, or "".
func (m *mutator) sibling(e ast.Expr, tv types.TypeAndValue) string {
	var id *ast.Ident
	prefix := ""
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		id = e
	case *ast.SelectorExpr:
		id, prefix = e.Sel, m.text(e.X)+"."
	default:
		return ""
	}
	obj, ok := m.src.info.Uses[id].(*types.Const)
	if !ok || obj.Pkg() == nil || obj.Parent() != obj.Pkg().Scope() {
		return ""
	}
	return prefixed(prefix, nextConstant(obj))
}

func prefixed(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + name
}

// nextConstant is the constant after this one, by name and around the end, of
// the same type and another value.
func nextConstant(obj *types.Const) string {
	first, passed := "", false
	for _, name := range obj.Pkg().Scope().Names() {
		other, ok := obj.Pkg().Scope().Lookup(name).(*types.Const)
		if name == obj.Name() {
			passed = true
			continue
		}
		if !ok || !types.Identical(other.Type(), obj.Type()) || constant.Compare(other.Val(), token.EQL, obj.Val()) {
			continue
		}
		if !other.Exported() && obj.Exported() {
			continue
		}
		if passed {
			return name
		}
		if first == "" {
			first = name
		}
	}
	return first
}

// swapped are the operators that are mistaken for each other.
var swapped = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.ADD: "-", token.SUB: "+", token.MUL: "+", token.SHL: ">>", token.SHR: "<<", token.AND: "|", token.OR: "&",
}

func (m *mutator) operator(b *ast.BinaryExpr, t types.Type) {
	other, ok := swapped[b.Op]
	if !ok {
		return
	}
	alt := fmt.Sprintf("(%s) %s (%s)", m.text(b.X), other, m.text(b.Y))
	if isBool(t) {
		m.add(b.Op.String()+" as "+other, b, "(mutant(%d) && ("+alt+") || !mutant(%d) && (", "))")
		return
	}
	name := m.typeName(t)
	if basic, ok := t.Underlying().(*types.Basic); name == "" || !ok || basic.Info()&types.IsString != 0 {
		return
	}
	lazily := "func() " + name + " { return "
	m.add(b.Op.String()+" as "+other, b, "mutantLazy["+name+"](%d, "+lazily, " }, "+lazily+alt+" })")
}

// literal drops each element of a list and each field of a struct.
func (m *mutator) literal(l *ast.CompositeLit) {
	t := m.src.info.TypeOf(l)
	switch t.Underlying().(type) {
	case *types.Slice:
		m.elements(l, t)
	case *types.Struct:
		for _, e := range l.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				m.done[kv.Key] = true
				m.field(kv)
			}
		}
	case *types.Array:
		for _, e := range l.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				m.done[kv.Key] = true
			}
		}
	}
}

func (m *mutator) field(kv *ast.KeyValueExpr) {
	tv := m.src.info.Types[kv.Value]
	name := m.typeName(tv.Type)
	if tv.Value != nil || tv.IsNil() || name == "" || name == "error" {
		return
	}
	if lit, ok := ast.Unparen(kv.Value).(*ast.CompositeLit); ok && lit.Type == nil {
		return
	}
	m.add("no "+m.text(kv.Key), kv.Value, "mutantZero["+name+"](%d, ", ")")
}

func (m *mutator) elements(l *ast.CompositeLit, t types.Type) {
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			m.done[kv.Key] = true
			return
		}
	}
	if m.typeName(t) == "" || len(l.Elts) == 0 || l.Type == nil {
		return
	}
	m.without(span{l.Pos(), l.End()}, l.Elts, "mutantWithout(%d, ", ")")
}

// without numbers one mutant for each of the elements, behind one wrap.
func (m *mutator) without(around span, elements []ast.Expr, before, after string) {
	m.add("leave out", around, before, after)
	m.mutants = m.mutants[:len(m.mutants)-1]
	*m.next--
	for _, e := range elements {
		m.note("leave out", m.text(e))
		m.mutants[len(m.mutants)-1].Line = m.line(e)
		*m.next++
	}
}

// variadic leaves out each argument of the last, repeated parameter.
func (m *mutator) variadic(c *ast.CallExpr) {
	sig, ok := m.src.info.TypeOf(c.Fun).(*types.Signature)
	if !ok || !sig.Variadic() || c.Ellipsis.IsValid() {
		return
	}
	fixed := sig.Params().Len() - 1
	last := sig.Params().At(fixed).Type()
	name := m.typeName(last)
	if len(c.Args) <= fixed || name == "" || forReading(m.text(c.Fun)) || last.String() == "[]any" {
		return
	}
	args := c.Args[fixed:]
	m.without(span{args[0].Pos(), args[len(args)-1].End()}, args, "mutantWithout(%d, "+name+"{", "})...")
}

// sizeHint leaves alone what make only takes as a hint: the capacity of a slice
// and the size of a map.
func (m *mutator) sizeHint(c *ast.CallExpr) {
	if m.text(c.Fun) != "make" {
		return
	}
	if _, isMap := m.src.info.TypeOf(c).Underlying().(*types.Map); isMap && len(c.Args) == 2 || len(c.Args) == 3 {
		m.done[c.Args[len(c.Args)-1]] = true
	}
}

// forReading are calls whose arguments are words for people.
func forReading(fun string) bool { return strings.HasPrefix(fun, "fmt.") || fun == "errors.Join" }
