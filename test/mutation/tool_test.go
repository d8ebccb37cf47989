package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const fixture = "testdata/module"

var known = target{dir: "known", tests: []suite{{"known", nil}}}

func trying(match string, out *bytes.Buffer) options {
	return options{match: regexp.MustCompile(match), parallel: 2, patience: 2 * time.Second, print: out}
}

func TestEveryMistakeOfTheFixtureMeetsItsFate(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(fixture)
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := runner{trying("", nil), root, t.TempDir()}.run(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for o := range outcomes {
		got = append(got, string(o.Verdict)+" "+strings.TrimPrefix(o.Name(), "known/known.go "))
	}
	text, err := os.ReadFile("testdata/fates.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("got, but not wanted: %s", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("wanted, but not got: %s", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d mutants, want %d", len(got), len(want))
	}
}

func TestMatchTriesOnlySomeAndDoesNotMissTheRest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ match, says, fails string }{
		{"Limit: <", "known: 1 mutants, 0 killed, 0 stuck, 1 survived", ""},
		{"nowhere", "known: 0 mutants", "no mutant was tried"},
	} {
		var printed bytes.Buffer
		err := trying(c.match, &printed).mutation(t.Context(), fixture, []target{known})
		if got := errorText(err); got != c.fails || !strings.Contains(printed.String(), c.says) {
			t.Errorf("-match %q\nprints %s\n  want %s\nfails with %q, want %q", c.match, printed.String(), c.says, got, c.fails)
		}
	}
}

func TestWithoutFlagsEveryMutantIsTried(t *testing.T) {
	for _, c := range []struct {
		args  []string
		wants bool
	}{{nil, true}, {[]string{"-match", "Limit"}, true}, {[]string{"-match", "nowhere"}, false}} {
		flags := flag.NewFlagSet("mutation", flag.ContinueOnError)
		o := commandLine(flags)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		if got := !(runner{options: *o}).unwanted(Mutant{Func: "Limit"}); got != c.wants {
			t.Errorf("%q: the mutant is tried: %v, want %v", c.args, got, c.wants)
		}
	}
}

func TestAnUnknownTargetIsRefused(t *testing.T) {
	o := trying("", nil)
	o.only = "known,unheard"
	if err := o.mutation(t.Context(), fixture, []target{known}); errorText(err) != `no target is named "unheard"` {
		t.Errorf("got %v", err)
	}
}

func TestAnInterruptedRunEndsItsTestsAndClaimsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	o := trying("Count: delete", new(bytes.Buffer))
	o.patience = time.Hour
	if err := o.mutation(ctx, fixture, []target{known}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestExplanationsFitTheSurvivorsExactly(t *testing.T) {
	lives := outcome{Mutant{File: "a.go", Func: "f", Kind: "never", Text: "x"}, survived}
	dies := outcome{Mutant{File: "a.go", Func: "f", Kind: "always", Text: "x"}, killed}
	hangs := outcome{Mutant{File: "a.go", Func: "f", Kind: "delete", Text: "x"}, stuck}
	for _, c := range []struct{ name, explained, fails string }{
		{"explained", "# why\na.go f: never: x\n", ""},
		{"not explained", "", "1 survivors: "},
		{"killed", "# why\na.go f: never: x\na.go f: always: x\n", "explained, but no mutant of this name survives:\na.go f: always: x"},
		{"stuck", "# why\na.go f: never: x\n\n# how\na.go f: delete: x\n", "explained, but no mutant of this name survives:\na.go f: delete: x"},
	} {
		reasons, err := readExplained(written(t, c.explained))
		if err != nil {
			t.Fatal(err)
		}
		r := report{print: new(bytes.Buffer)}
		r.add(known, slices.Values([]outcome{lives, dies, hangs}), reasons)
		if got := errorText(r.finish("")); !strings.HasPrefix(got, c.fails) || c.fails == "" && got != "" {
			t.Errorf("%s: fails with %q, want %q", c.name, got, c.fails)
		}
	}
}

func TestReasonsAreParagraphsAboveTheirNames(t *testing.T) {
	reasons, err := readExplained(written(t, "# one\n# and more\na\nb\n\n# two\nc\n"))
	if err != nil || reasons["a"] != "one and more" || reasons["b"] != reasons["a"] || reasons["c"] != "two" || len(reasons) != 3 {
		t.Errorf("read %q, %v", reasons, err)
	}
	if reasons, err := readExplained(written(t, "# one\na\n\nb\n")); err == nil {
		t.Errorf("b has no reason, but was read: %q", reasons)
	}
	if reasons, err := readExplained("testdata/no such file"); err != nil || len(reasons) != 0 {
		t.Errorf("no file: read %q, %v", reasons, err)
	}
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "explained.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
