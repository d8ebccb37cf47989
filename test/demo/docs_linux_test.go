package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// What is another number in every run: the names of namespaces, and the load.
var (
	namespaces = regexp.MustCompile(`slt-\d+-\d+-`)
	loads      = regexp.MustCompile(`(?m)^ +\d+ times +\d+ +0 +0 +\d+$`)
	sizes      = regexp.MustCompile(`\d+ connections at a time for \w+,`)
)

func steady(text string) string {
	text = sizes.ReplaceAllString(namespaces.ReplaceAllString(text, "slt-"), "SIZE")
	return loads.ReplaceAllString(text, "  LOAD")
}

// built compiles a program of this module.
func built(t *testing.T, dir, pkg string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return path
}

func TestTheDemonstrationPrintsWhatItsPageShows(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "demo.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	demo, sluice := built(t, dir, "../../test/demo"), built(t, dir, "../../cmd/sluice")
	show := exec.Command(demo, "--sluice", sluice, "--output", dir, "--load", "500ms", "--connections", "40")
	out, err := show.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The page shows the directory that `make demo` writes to.
	printed := steady(strings.ReplaceAll(string(out), dir, "build"))
	blocks := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Fatalf("the page shows %d pieces of output, want at least 5", len(blocks))
	}
	for _, b := range blocks {
		if want := steady(strings.TrimSpace(b[1])); !strings.Contains(printed, want) {
			t.Errorf("the page shows what is not printed:\n%s\n\nprinted:\n%s", firstMissing(want, printed), printed)
		}
	}
	for _, name := range []string{"graph.svg", "tls.pcap", "plain.pcap"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: got %v, %v, want a file with something in it", name, info, err)
		}
	}
}

// firstMissing is the first line that is not printed; all if only their order is
// another.
func firstMissing(want, printed string) string {
	for line := range strings.Lines(want) {
		if !strings.Contains(printed, strings.TrimRight(line, "\n")) {
			return line
		}
	}
	return want
}
