package mesh

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var builds struct {
	sync.Once
	err error
	out []byte
}

// programs is where the tests' programs are; `make clean` removes them.
var programs = filepath.Join("..", "..", "build", "mesh")

// program builds sluice once for all tests and returns where it is.
func program(t testing.TB) string { return built(t, "sluice") }

// built builds the programs of the product once for all tests.
func built(t testing.TB, name string) string {
	t.Helper()
	builds.Do(func() {
		cmd := exec.Command("go", "build", "-o", programs+"/", "../../cmd/...")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		builds.out, builds.err = cmd.CombinedOutput()
	})
	if builds.err != nil {
		t.Fatalf("build the programs: %v\n%s", builds.err, builds.out)
	}
	path, err := filepath.Abs(filepath.Join(programs, name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
