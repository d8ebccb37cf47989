package ships

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of docs/architecture.md names a package and a test.
func TestEveryPromiseNamesATestThatExists(t *testing.T) {
	named := regexp.MustCompile("([a-z/]+) `((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(read(t, top, "docs/architecture.md")), -1)
	if len(named) < 30 {
		t.Fatalf("found %d names in the table, want more: has its form changed?", len(named))
	}
	for _, n := range named {
		if dir, name := n[1], n[2]; !declares(t, filepath.Join(top, dir), "func "+name+"(") {
			t.Errorf("docs/architecture.md names %s in %s, which has no such test", name, dir)
		}
	}
}

func declares(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(string(read(t, filepath.Dir(f), filepath.Base(f))), text) {
			return true
		}
	}
	return false
}

// Links within the repository lead to files, and anchors to headings.
func TestLinksOfThePagesLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		text := string(read(t, filepath.Dir(page), filepath.Base(page)))
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(path, "://") || strings.HasPrefix(path, "mailto:") {
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, l[1], err)
			} else if anchor != "" && !hasHeading(t, target, anchor) {
				t.Errorf("%s links to %s: no such heading", page, l[1])
			}
		}
	}
}

func hasHeading(t *testing.T, page, anchor string) bool {
	t.Helper()
	unwanted := regexp.MustCompile(`[^a-z0-9 -]`)
	for line := range strings.Lines(string(read(t, filepath.Dir(page), filepath.Base(page)))) {
		title := strings.TrimLeft(line, "#")
		if title != line && strings.ReplaceAll(unwanted.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

// pages are the Markdown files of the repository that people read.
func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(top, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(top, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			list = append(list, path)
		}
		return err
	})
	if err != nil || len(list) < 10 {
		t.Fatalf("pages: %v, %v", list, err)
	}
	return list
}
