package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// source is a parsed and checked package.
type source struct {
	dir   string
	name  string
	fset  *token.FileSet
	files []file
	info  *types.Info
	pkg   *types.Package
}

// file is one file to mutate.
type file struct {
	path   string // absolute
	text   []byte
	syntax *ast.File
}

// load reads a package of this module, in the directory dir below root.
func load(root, dir string) (*source, error) {
	exports, self, err := list(root, dir)
	if err != nil {
		return nil, err
	}
	s := &source{dir: self.Dir, name: self.Name, fset: token.NewFileSet(), info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
	}}
	var syntax []*ast.File
	for _, name := range self.GoFiles {
		f := file{path: filepath.Join(self.Dir, name)}
		if f.text, err = os.ReadFile(f.path); err != nil {
			return nil, err
		}
		if f.syntax, err = parser.ParseFile(s.fset, f.path, f.text, parser.ParseComments); err != nil {
			return nil, err
		}
		s.files, syntax = append(s.files, f), append(syntax, f.syntax)
	}
	conf := types.Config{Importer: importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	s.pkg, err = conf.Check(self.ImportPath, s.fset, syntax, s.info)
	return s, err
}

// listed is what `go list` says about a package.
type listed struct {
	ImportPath, Name, Dir, Export string
	GoFiles                       []string
}

func list(root, dir string) (exports map[string]string, self listed, err error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles", "./"+dir)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, self, fmt.Errorf("go list ./%s: %w: %s", dir, err, stderr.Bytes())
	}
	exports = map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed // the package that was asked for comes last
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return exports, self, nil
		} else if err != nil {
			return nil, self, err
		}
		exports[p.ImportPath], self = p.Export, p
	}
}

// only keeps the files of these names; none means all.
func (s *source) only(names []string) {
	if len(names) > 0 {
		s.files = slices.DeleteFunc(s.files, func(f file) bool { return !slices.Contains(names, filepath.Base(f.path)) })
	}
}
