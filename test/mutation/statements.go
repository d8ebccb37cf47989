package main

import (
	"fmt"
	"go/ast"
	"go/token"
)

// statements deletes each statement that can go, and swaps neighbours.
func (m *mutator) statements(list []ast.Stmt) {
	for i, s := range list {
		if deletable(s) {
			m.add("delete", s, "if !mutant(%d) { ", " }")
		}
		if i > 0 && calls(list[i-1]) && calls(s) {
			m.swap(list[i-1], s)
		}
	}
}

func deletable(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		return calls(s)
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	case *ast.IncDecStmt:
		return true
	case *ast.BranchStmt:
		return s.Tok == token.CONTINUE || s.Tok == token.BREAK
	}
	return false
}

// calls says whether a statement is a call, but of panic: the compiler knows
// that nothing comes behind it.
func calls(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	name, _ := call.Fun.(*ast.Ident)
	return name == nil || name.Name != "panic"
}

// swap carries out the second of two statements before the first.
func (m *mutator) swap(a, b ast.Stmt) {
	if m.text(a) == m.text(b) {
		return
	}
	number := *m.next
	m.add("swap with the line before", b, "if !mutant(%d) { ", " }")
	early := fmt.Sprintf("if mutant(%d) { %s }; ", number, m.text(b))
	m.wraps = append(m.wraps, wrap{from: m.at(a.Pos()), to: m.at(a.Pos()), before: early, order: -1})
}

// span is a range of several nodes.
type span struct{ from, to token.Pos }

func (s span) Pos() token.Pos { return s.from }
func (s span) End() token.Pos { return s.to }

// loop ends a loop before its first round. Nothing makes it endless.
func (m *mutator) loop(cond ast.Expr) {
	if cond == nil {
		return
	}
	m.add("no round", cond, "!mutant(%d) && (", ")")
	m.operands(cond, true)
}

func (m *mutator) emptyRange(s *ast.RangeStmt) {
	if m.done[s] { // it has a label
		return
	}
	m.add("no round", s, "if !mutant(%d) { ", " }")
}

// condition makes a condition true and false, and drops each part of it.
func (m *mutator) condition(cond ast.Expr) {
	m.add("always", cond, "mutant(%d) || (", ")")
	m.add("never", cond, "!mutant(%d) && (", ")")
	m.operands(cond, false)
}

// operands drops what stands beside && and ||.
func (m *mutator) operands(e ast.Expr, inLoop bool) {
	switch e := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			m.operands(e.X, inLoop)
		}
	case *ast.BinaryExpr:
		for _, x := range []ast.Expr{e.X, e.Y} {
			switch e.Op {
			case token.LAND:
				m.add("drop from and", x, "(mutant(%d) || (", "))")
			case token.LOR:
				m.add("drop from or", x, "(!mutant(%d) && (", "))")
			default:
				return
			}
			m.operands(x, inLoop)
		}
	}
}

// cases treats the cases of a switch without a tag as conditions.
func (m *mutator) cases(s *ast.SwitchStmt) {
	if s.Tag != nil {
		return
	}
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			m.condition(e)
		}
	}
}
