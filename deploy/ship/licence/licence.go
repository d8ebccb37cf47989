// Package licence finds the licences of the Go modules that a program links,
// says which they are, and gathers the texts that have to travel with it.
package licence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/deploy/ship/sbom"
)

// Module is a module and its licence texts.
type Module struct {
	sbom.Part
	Texts []string
}

// marks are phrases that only one licence has. The three clauses of BSD stand
// before the two, whose phrases they contain.
func marks() []mark {
	return []mark{
		{"Apache-2.0", []string{"Apache License", "Version 2.0, January 2004"}},
		{"Apache-2.0", []string{"Licensed under the Apache License, Version 2.0"}},
		{"MPL-2.0", []string{"Mozilla Public License", "2.0"}},
		{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "may be used to endorse or promote"}},
		{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
		{"MIT", []string{"Permission is hereby granted, free of charge", "The above copyright notice and this permission notice"}},
		{"ISC", []string{"Permission to use, copy, modify, and", "distribute this software for any purpose with or without fee"}},
	}
}

type mark struct {
	name    string
	phrases []string
}

// Names tells which licences a text states; some modules put two into one file.
func Names(text string) []string {
	flat := strings.Join(strings.Fields(text), " ")
	var names []string
	for _, m := range marks() {
		all := !slices.ContainsFunc(m.phrases, func(p string) bool { return !strings.Contains(flat, p) })
		narrower := m.name == "BSD-2-Clause" && slices.Contains(names, "BSD-3-Clause")
		if all && !narrower && !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

// allowed are the licences that an Apache-2.0 program may link and ship
// without a duty beyond carrying the text.
func allowed(name string) bool {
	return slices.Contains([]string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC"}, name)
}

// Of finds the licence of each module in the module cache of the module in
// dir. One that has no text, or a text that is not known or not allowed, is an
// error; all such modules are reported together.
func Of(dir string, parts []sbom.Part) ([]Module, error) {
	folders, err := folders(dir, parts)
	if err != nil {
		return nil, err
	}
	var list []Module
	var problems []error
	for _, p := range parts {
		m := Module{Part: p}
		if m.Texts, err = texts(folders[p.Name]); err != nil {
			return nil, err
		}
		var names []string
		for _, t := range m.Texts {
			names = append(names, Names(t)...)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		m.License = strings.Join(names, " AND ")
		if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return !allowed(n) }) {
			problems = append(problems, fmt.Errorf("%s %s: licence %q in %s is not on the list of deploy/ship/licence", p.Name, p.Version, m.License, folders[p.Name]))
		}
		list = append(list, m)
	}
	return list, errors.Join(problems...)
}

// folders asks the go command where the modules' sources are.
func folders(dir string, parts []sbom.Part) (map[string]string, error) {
	args := []string{"list", "-m", "-json"}
	out := map[string]string{}
	for _, p := range parts {
		if p.Name != "stdlib" {
			args = append(args, p.Name+"@"+p.Version)
		}
	}
	if len(args) > 3 {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list -m: %w\n%s", err, stderr.String())
		}
		for dec := json.NewDecoder(bytes.NewReader(text)); ; {
			var m struct{ Path, Dir string }
			if err := dec.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			out[m.Path] = m.Dir
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	out["stdlib"] = strings.TrimSpace(string(root))
	return out, err
}

// texts are the licence and notice files at the top of a module.
func texts(dir string) ([]string, error) {
	if dir == "" {
		return nil, errors.New("a module's sources are not in the module cache: run 'go mod download'")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, string(body))
	}
	return out, nil
}

// Notices is the file that travels with the programs: every module with its
// licence's text.
func Notices(list []Module) []byte {
	var b bytes.Buffer
	b.WriteString("This program contains the following modules, each under its own licence.\n")
	for _, m := range list {
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n\n", strings.Repeat("=", 78), m.Name, m.Version, m.License)
		for _, t := range m.Texts {
			b.WriteString(strings.TrimRight(t, "\n") + "\n")
		}
	}
	return b.Bytes()
}
