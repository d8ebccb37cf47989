package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicemesh/sluice/deploy/ship/licence"
	"github.com/sluicemesh/sluice/deploy/ship/sbom"
)

// programs are those of one architecture, in the order of their names.
func (o options) programs(arch string) ([]sbom.Program, error) {
	entries, err := os.ReadDir(o.program(arch, ""))
	if err != nil {
		return nil, err
	}
	var list []sbom.Program
	for _, e := range entries {
		list = append(list, sbom.Program{Name: e.Name(), Path: o.program(arch, e.Name())})
	}
	return list, nil
}

// sboms writes one bill for each program and architecture.
func sboms(o options) error {
	for _, arch := range arches() {
		programs, err := o.programs(arch)
		if err != nil {
			return err
		}
		for _, p := range programs {
			modules, err := o.modules([]sbom.Program{p})
			if err != nil {
				return err
			}
			parts := make([]sbom.Part, 0, len(modules))
			for _, m := range modules {
				parts = append(parts, m.Part)
			}
			bill, err := sbom.Document(sbom.Part{Name: p.Name, Version: o.version, License: "Apache-2.0"}, parts, o.when)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(o.out, p.Name+"-linux-"+arch+".spdx.json"), bill, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// licences checks the licences of everything linked into any program, prints
// them, and writes the texts.
func licences(o options) error {
	var all []sbom.Program
	for _, arch := range arches() {
		programs, err := o.programs(arch)
		if err != nil {
			return err
		}
		all = append(all, programs...)
	}
	modules, err := o.modules(all)
	if err != nil {
		return err
	}
	for _, m := range modules {
		if _, err := fmt.Fprintf(o.stdout, "%-14s %s %s\n", m.License, m.Name, m.Version); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(o.out, "licences.txt"), licence.Notices(modules), 0o644)
}
