package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
)

// results inverts what is returned as bool and forgets what is returned as error.
func (m *mutator) results(r *ast.ReturnStmt) {
	failed := m.failed(r)
	for i, e := range r.Results {
		t := m.src.info.TypeOf(e)
		value := m.src.info.Types[e].Value
		switch {
		case t == nil || m.isNil(e):
		case m.resultType(r, i) == "error":
			m.add("forget the error", e, "mutantZero[error](%d, ", ")")
		case value != nil: // a constant is expression's
			m.done[e] = failed && isZero(value)
		case isBool(t):
			m.add("invert", e, "mutant(%d) != (", ")")
			m.operands(e, false)
		}
	}
}

// enter remembers the signature of a function for its returns.
func (m *mutator) enter(body *ast.BlockStmt, sig *types.Signature) {
	if body == nil {
		return
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			m.returns[r] = sig
		}
		_, inner := n.(*ast.FuncLit)
		return !inner
	})
}

// resultType is the declared type of result i, "" if one call gives them all.
func (m *mutator) resultType(r *ast.ReturnStmt, i int) string {
	sig := m.returns[r]
	if sig == nil || sig.Results().Len() != len(r.Results) {
		return ""
	}
	return sig.Results().At(i).Type().String()
}

// failed says whether a return certainly has an error as its last result. The
// zeros beside it only fill their places: nobody who respects the error sees
// them, so changing them would tell nothing.
func (m *mutator) failed(r *ast.ReturnStmt) bool {
	last := len(r.Results) - 1
	if last < 0 || m.resultType(r, last) != "error" {
		return false
	}
	switch e := ast.Unparen(r.Results[last]).(type) {
	case *ast.UnaryExpr: // &SomeError{…}
		return e.Op == token.AND
	case *ast.CallExpr:
		return m.text(e.Fun) == "fmt.Errorf" || m.text(e.Fun) == "errors.New"
	case *ast.Ident:
		return m.notNil[r] == e.Name
	}
	return false
}

// seeFailure remembers the name that "if name != nil { return … }" knows to be set.
func (m *mutator) seeFailure(s *ast.IfStmt) {
	cond, ok := s.Cond.(*ast.BinaryExpr)
	if !ok || cond.Op != token.NEQ || !m.isNil(cond.Y) || len(s.Body.List) != 1 {
		return
	}
	if r, ok := s.Body.List[0].(*ast.ReturnStmt); ok {
		m.notNil[r] = m.text(cond.X)
	}
}

func isZero(v constant.Value) bool {
	switch v.Kind() {
	case constant.Bool:
		return !constant.BoolVal(v)
	case constant.String:
		return constant.StringVal(v) == ""
	}
	return constant.Sign(v) == 0
}

func (m *mutator) isNil(e ast.Expr) bool { return m.src.info.Types[e].IsNil() }

func isBool(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}
