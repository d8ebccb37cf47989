package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluicemesh/sluice"

// pkg is what `go list -json` says about a package.
type pkg struct {
	ImportPath, Dir                                   string
	GoFiles, Imports, Deps, TestGoFiles, XTestGoFiles []string
}

// path is the package's path within the module, "." for its root.
func (p pkg) path() string { return within(p.ImportPath) }

func within(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func ours(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// under says whether a path is a directory or below it; "" is above all.
func under(path, dir string) bool {
	return dir == "" || path == dir || strings.HasPrefix(path, dir+"/")
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsGoDownOnly(t *testing.T) {
	for _, p := range list(t) {
		report(t, climbs(p))
	}
}

func TestPackagesImportNothingThatIsBannedThere(t *testing.T) {
	for _, p := range list(t) {
		report(t, banned(p))
	}
}

func report(t *testing.T, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}

// rank is a package's layer; -1 for those outside.
func rank(path string) (int, error) {
	if path == "." || slices.Contains(outside, top(path)) {
		return -1, nil
	}
	for i, l := range layers {
		if slices.Contains(l.dirs, top(path)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s has no place in test/arch/table_test.go: give %s a layer and a reason", path, top(path))
}

func top(path string) string { return strings.Split(path, "/")[0] }

// climbs lists a package's imports that don't go down.
func climbs(p pkg) (violations []string) {
	from, err := rank(p.path())
	if err != nil {
		return []string{err.Error()}
	}
	if from < 0 {
		return nil
	}
	for _, imported := range p.Imports {
		if ours(imported) && !down(p.path(), within(imported)) {
			violations = append(violations, fmt.Sprintf("%s imports %s, which is not below it (%s)", p.path(), within(imported), layers[from].why))
		}
	}
	return violations
}

func down(from, to string) bool {
	a, errA := rank(from)
	b, errB := rank(to)
	switch {
	case errA != nil || errB != nil || b < 0:
		return false
	case top(from) == "cmd" && top(to) == "cmd": // mains share only what is below their own
		return under(to, strings.Join(strings.SplitN(from, "/", 3)[:2], "/")) || under(to, "cmd/internal")
	default:
		return b < a || top(from) == top(to)
	}
}

func banned(p pkg) (violations []string) {
	for _, b := range bans {
		if !b.covers(p.path()) {
			continue
		}
		seen, verb := p.Imports, "imports"
		if b.linked {
			seen, verb = p.Deps, "links"
		}
		for _, imported := range seen {
			if b.forbids(imported) {
				violations = append(violations, fmt.Sprintf("%s %s %s: %s", p.path(), verb, imported, b.why))
			}
		}
	}
	return violations
}

func (b ban) covers(path string) bool {
	return under(path, b.in) && !slices.ContainsFunc(b.except, func(dir string) bool { return under(path, dir) })
}

func (b ban) forbids(imported string) bool {
	return slices.ContainsFunc(b.imports, func(name string) bool {
		return imported == name || strings.HasSuffix(name, "/") && strings.HasPrefix(imported, name)
	})
}

func TestTheTablesNoticeViolations(t *testing.T) {
	for _, tc := range []struct {
		path, imports, links string
		climbs, banned       int
	}{
		{path: "iptables/xtables", imports: module + "/iptables"},
		{path: "builder", imports: module + "/iptables"},
		{path: "cmd/sluice", imports: module + "/cni/podsettings"},
		{path: "cmd/sluice", imports: "github.com/spf13/cobra"},
		{path: "test/rig", imports: module + "/builder"},
		{path: "iptables", imports: module + "/builder", climbs: 1},
		{path: "builder", imports: module + "/netns", climbs: 1},
		{path: "cni/decide", imports: module + "/validation", climbs: 1},
		{path: "netns", imports: module + "/test/rig", climbs: 1},
		{path: "cmd/sluice", imports: module + "/cmd/sluice-cni", climbs: 1},
		{path: "helpers", climbs: 1},
		{path: "builder", imports: "os", banned: 1},
		{path: "builder", imports: "net/netip"},
		{path: "validation", imports: "log/slog", banned: 1},
		{path: "cni/node/repair", imports: "log/slog"},
		{path: "cni/netconf", imports: "k8s.io/client-go/kubernetes", banned: 1},
		{path: "cni/node", imports: "k8s.io/client-go/kubernetes"},
		{path: "cmd/sluice-cni", imports: "github.com/spf13/cobra", banned: 1},
		{path: "cmd/sluice-cni", links: "net/http", banned: 1},
		{path: "cmd/sluice-node", links: "net/http"},
		{path: "cmd/sluice", links: "k8s.io/api/core/v1", banned: 1},
	} {
		p := pkg{ImportPath: module + "/" + tc.path, Imports: []string{tc.imports}, Deps: []string{tc.links}}
		if got := climbs(p); len(got) != tc.climbs {
			t.Errorf("%s imports %q: got %q, want %d violations of the layers", tc.path, tc.imports, got, tc.climbs)
		}
		if got := banned(p); len(got) != tc.banned {
			t.Errorf("%s imports %q, links %q: got %q, want %d violations of the bans", tc.path, tc.imports, tc.links, got, tc.banned)
		}
	}
}
