package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

var update = flag.Bool("update", false, "put into docs/demo.md what the demonstration prints now")

func TestMain(m *testing.M) { rig.Main(m) }

// What is another number in every run: the names of namespaces, and the load.
var (
	namespaces = regexp.MustCompile(`slt-\d+-`)
	loads      = regexp.MustCompile(`(?m)^ +\d+ times +\d+ +0 +0 +\d+$`)
	sizes      = regexp.MustCompile(`\d+ connections at a time for \w+,`)
)

// steady gives what differs between runs one form.
func steady(text string) string {
	return loads.ReplaceAllString(sizes.ReplaceAllString(text, "SIZE"), "  LOAD")
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

// printed runs the demonstration, with a smaller load unless its output shall
// be shown, and returns what it printed as if it were `make demo`.
func printed(t *testing.T, dir string) string {
	t.Helper()
	args := []string{"--sluice", built(t, dir, "../../cmd/sluice"), "--output", dir}
	if !*update {
		args = append(args, "--load", "500ms", "--connections", "40")
	}
	out, err := exec.Command(built(t, dir, "../../test/demo"), args...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return namespaces.ReplaceAllString(strings.ReplaceAll(string(out), dir, "build"), "slt-4711-")
}

var block = regexp.MustCompile("(?s)```text\n(.*?)\n```")

// The page shows the whole output in pieces. A piece goes from its first line
// to that of the next.
func TestThePageShowsWhatTheDemonstrationPrints(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "demo.md")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pieces := split(t, printed(t, dir), block.FindAllStringSubmatch(string(content), -1))
	next := 0
	got := block.ReplaceAllStringFunc(string(content), func(string) string {
		next++
		return "```text\n" + pieces[next-1] + "\n```"
	})
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got, want := steady(got), steady(string(content)); got != want {
		t.Errorf("docs/demo.md differs from what is printed (go test ./test/demo -update rewrites it)\n%s", firstDifference(got, want))
	}
	for _, name := range []string{"graph.svg", "tls.pcap", "plain.pcap"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: got %v, %v, want a file with something in it", name, info, err)
		}
	}
}

// split cuts the output where the page's pieces begin.
func split(t *testing.T, out string, shown [][]string) (pieces []string) {
	t.Helper()
	for i := len(shown) - 1; i >= 0; i-- {
		first, _, _ := strings.Cut(shown[i][1], "\n")
		at := begins(out, first)
		if at < 0 {
			t.Fatalf("the page shows a piece that begins with %q; that is not printed:\n%s", first, out)
		}
		pieces = append([]string{strings.TrimRight(out[at:], "\n ")}, pieces...)
		out = out[:at]
	}
	if strings.TrimSpace(out) != "" || len(shown) == 0 {
		t.Errorf("the page does not show the beginning:\n%s", out)
	}
	return pieces
}

// begins is where the last line like this one begins; -1 if there is none.
func begins(out, line string) int {
	at, found := 0, -1
	for l := range strings.Lines(out) {
		if steady(strings.TrimRight(l, "\n")) == steady(line) {
			found = at
		}
		at += len(l)
	}
	return found
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer than the other"
}
