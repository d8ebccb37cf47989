package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The names are of this repository: a test that is renamed is renamed here.
func TestThePageNamesWhatWasNotMeasured(t *testing.T) {
	m, err := read(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	missing, err := compare("../..", m)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		got  []string
		want string
	}{
		{"faults", missing.Faults, "TestStoppedAtEveryStepOfAChangeNothingEscapes"},
		{"mutants", missing.Mutants, "cni/node/conflist"},
		{"fuzzing", missing.Fuzzing, "netns FuzzParseTarget"},
	} {
		if !slices.Contains(c.got, c.want) || !slices.IsSorted(c.got) && c.what != "mutants" {
			t.Errorf("%s: %q is not among what is missing, or that is not sorted: %q", c.what, c.want, c.got)
		}
	}
	text, err := render(m, missing)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "**Not measured here:** `"); got != 4 || !strings.Contains(string(text), "**This page is not whole:**") {
		t.Errorf("got %d sections that say so, want 4 and the head of the page:\n%s", got, text)
	}
}

func TestAWholePageSaysNothingOfMissingParts(t *testing.T) {
	text, err := render(measured{Faults: []fault{{Fault: "kill", Every: 1}}}, absent{})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"not whole", "Not measured", "Not every step"} {
		if strings.Contains(string(text), word) {
			t.Errorf("got %q in\n%s", word, text)
		}
	}
}

func TestStepsThatWereLeftOutAreSaid(t *testing.T) {
	text, err := render(measured{Faults: []fault{{Fault: "kill", Points: 3, Every: 4}}}, absent{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "3 (every 4.)") || !strings.Contains(string(text), "**Not every step was tried**") {
		t.Errorf("want both in\n%s", text)
	}
}

func TestATestRecordsAlsoThroughOthers(t *testing.T) {
	dir := t.TempDir()
	source := `package p
func TestDirect(t int)  { note(t) }
func TestByWay(t int)   { each(func() { way(t) }) }
func TestNothing(t int) { each(nil) }
func TestDone(t int)    { way(t) }
func way(t int)         { note(t) }
`
	if err := os.WriteFile(filepath.Join(dir, "a_test.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := unrecorded(dir, "note", []string{"TestDone"})
	if want := []string{"TestByWay", "TestDirect"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
