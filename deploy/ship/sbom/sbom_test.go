package sbom

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
	"time"
)

func TestABillNamesTheModulesOfTheProgram(t *testing.T) {
	parts, err := Modules(Program{Name: "test", Path: executable(t)})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) == 0 || parts[0].Name != "stdlib" || parts[0].License != "BSD-3-Clause" {
		t.Errorf("got %v, want the standard library", parts)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABillIsValidAndTheSameTwice(t *testing.T) {
	parts := []Part{{Name: "example.com/a_b", Version: "v1.0.0", PURL: "pkg:golang/example.com/a_b@v1.0.0", License: "MIT"}, {Name: "c", Version: "1"}}
	first, err := Document(Part{Name: "x", Version: "v1"}, parts, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Document(Part{Name: "x", Version: "v1"}, parts, time.Unix(1, 0))
	if err != nil || string(first) != string(second) {
		t.Errorf("two documents of the same differ (%v)", err)
	}
	var d document
	if err := json.Unmarshal(first, &d); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"SPDXRef-DOCUMENT": true}
	for _, p := range d.Packages {
		if !regexp.MustCompile(`^SPDXRef-[A-Za-z0-9.-]+$`).MatchString(p.ID) || known[p.ID] {
			t.Errorf("identifier %q is not valid or not unique", p.ID)
		}
		known[p.ID] = true
	}
	for _, r := range d.Relationships {
		if !known[r.From] || !known[r.To] {
			t.Errorf("relationship %v names what is not there", r)
		}
	}
	if len(d.Packages) != 3 || d.Packages[2].Declared != "NOASSERTION" {
		t.Errorf("got packages %v, want three, the last without a licence", d.Packages)
	}
}
