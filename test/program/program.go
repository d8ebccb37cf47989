// Package program builds this module's programs for tests, as they ship:
// static and stripped.
package program

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/sluicemesh/sluice/"

// Build builds a package, named as within this module ("cmd/sluice-cni") or by
// a whole import path, and returns the binary. Every user may run it.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	return BuildAs(t, pkg, path.Base(pkg))
}

// BuildAs is Build for a binary of another name.
func BuildAs(t testing.TB, pkg, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slt-bin-") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, importPath(pkg))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, text)
	}
	return out
}

// importPath tells our own packages from those with a domain.
func importPath(pkg string) string {
	if first, _, _ := strings.Cut(pkg, "/"); path.Ext(first) != "" {
		return pkg
	}
	return module + pkg
}
