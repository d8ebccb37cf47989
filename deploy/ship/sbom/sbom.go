// Package sbom states what a program or an image is made of, as SPDX 2.3. The
// facts are those that the Go linker wrote into the program.
package sbom

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Part is one component.
type Part struct {
	Name, Version string
	PURL          string // package URL, the identity that scanners look up
	License       string // SPDX expression; "" if not known
}

// Program is the file of a Go program.
type Program struct {
	Name string
	Path string
}

// Modules are the parts that were linked into the programs, the Go standard
// library among them, each once, in the order of their names.
func Modules(programs ...Program) ([]Part, error) {
	seen := map[string]Part{}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Path, err)
		}
		version := strings.TrimPrefix(info.GoVersion, "go")
		seen["stdlib"] = Part{"stdlib", version, "pkg:golang/stdlib@" + version, "BSD-3-Clause"}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			seen[m.Path+m.Version] = Part{Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version}
		}
	}
	list := make([]Part, 0, len(seen))
	for _, p := range seen {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Part) int { return strings.Compare(a.Name+a.Version, b.Name+b.Version) })
	return list, nil
}

type document struct {
	SPDXVersion   string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []packageEntry `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type packageEntry struct {
	Name         string        `json:"name"`
	ID           string        `json:"SPDXID"`
	Version      string        `json:"versionInfo"`
	Download     string        `json:"downloadLocation"`
	Analyzed     bool          `json:"filesAnalyzed"`
	Concluded    string        `json:"licenseConcluded"`
	Declared     string        `json:"licenseDeclared"`
	Copyright    string        `json:"copyrightText"`
	ExternalRefs []externalRef `json:"externalRefs,omitempty"`
}

type externalRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// Document writes the bill of a whole and its parts. The same arguments give
// the same bytes.
func Document(whole Part, parts []Part, when time.Time) ([]byte, error) {
	d := document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: whole.Name + "-" + whole.Version,
		Creation:      creation{when.UTC().Format(time.RFC3339), []string{"Organization: sluice", "Tool: sluice-ship"}},
		Packages:      []packageEntry{entry(whole)},
		Relationships: []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", id(whole)}},
	}
	for _, p := range parts {
		d.Packages = append(d.Packages, entry(p))
		d.Relationships = append(d.Relationships, relationship{id(whole), "CONTAINS", id(p)})
	}
	plain, err := json.Marshal(d.Packages)
	if err != nil {
		return nil, err
	}
	d.Namespace = fmt.Sprintf("https://github.com/sluicemesh/sluice/spdx/%s-%x", d.Name, sha256.Sum256(plain))
	out, err := json.MarshalIndent(d, "", "  ")
	return append(out, '\n'), err
}

func entry(p Part) packageEntry {
	license := p.License
	if license == "" {
		license = "NOASSERTION"
	}
	e := packageEntry{Name: p.Name, ID: id(p), Version: p.Version, Download: "NOASSERTION", Concluded: license, Declared: license, Copyright: "NOASSERTION"}
	if p.PURL != "" {
		e.ExternalRefs = []externalRef{{"PACKAGE-MANAGER", "purl", p.PURL}}
	}
	return e
}

// id is an SPDX identifier: letters, digits, dots and hyphens only.
func id(p Part) string {
	return "SPDXRef-" + regexp.MustCompile(`[^A-Za-z0-9.-]+`).ReplaceAllString(p.Name+"-"+p.Version, "-")
}
