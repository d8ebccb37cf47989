package cluster

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// built are the programs by the module that they come from.
var built = map[string][]string{
	"etcd": {"go.etcd.io/etcd/server/v3"},
	"kube": {
		"k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager",
		"k8s.io/kubernetes/cmd/kube-scheduler", "k8s.io/kubernetes/cmd/kubelet", "k8s.io/kubernetes/cmd/kubectl",
	},
}

// flags are the linker's: without its version an API server calls itself
// v0.0.0, and Helm refuses charts that ask for more.
func flags(t testing.TB, module, dir string) string {
	t.Helper()
	if module != "kube" {
		return "-s -w"
	}
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("version of Kubernetes in %s: %v", dir, err)
	}
	return "-s -w -X k8s.io/component-base/version.gitVersion=" + strings.TrimSpace(string(out))
}

// root is the repository's folder.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../..")
}

// Binaries builds what is missing or out of date and gives the folder.
func Binaries(t testing.TB) string {
	t.Helper()
	out := filepath.Join(root(), "build/kube")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"etcd", "kube"} {
		build(t, module, out)
	}
	return out
}

// build leaves a stamp of the module's requirements beside the programs: even
// finding out that nothing is to do takes the go command half a minute.
func build(t testing.TB, module, out string) {
	t.Helper()
	dir := filepath.Join(root(), "test/cluster/binaries", module)
	var sums []byte
	for _, name := range []string{"go.mod", "go.sum"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, raw...)
	}
	ldflags := flags(t, module, dir)
	stamp, want := filepath.Join(out, module+".stamp"), fmt.Appendf(nil, "%x %s\n", sha256.Sum256(sums), ldflags)
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, want) {
		return
	}
	for _, pkg := range built[module] {
		name := filepath.Base(pkg)
		if module == "etcd" {
			name = "etcd"
		}
		t.Logf("building %s (the API server takes four minutes the first time)", name)
		cmd := exec.Command("go", "build", "-p", "2", "-trimpath", "-ldflags="+ldflags, "-o", filepath.Join(out, name), pkg)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, text)
		}
	}
	if err := os.WriteFile(stamp, want, 0o644); err != nil {
		t.Fatal(err)
	}
}
