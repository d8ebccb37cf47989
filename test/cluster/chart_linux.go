package cluster

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sluicemesh/sluice/test/rig"
)

// Namespace is the release's.
const Namespace = "sluice-system"

// Chart is the chart's folder.
func Chart() string { return filepath.Join(root(), "deploy/chart/sluice") }

// Helm builds Helm if it has to and runs it as the administrator; the test ends
// if it fails.
func (c *Cluster) Helm(args ...string) string {
	c.t.Helper()
	build := exec.Command("make", "-s", "build/tools/helm")
	build.Dir = root()
	if out, err := build.CombinedOutput(); err != nil {
		c.t.Fatalf("make build/tools/helm: %v\n%s", err, out)
	}
	res := c.Node.RunCmd(rig.Cmd{
		Args: append([]string{filepath.Join(root(), "build/tools/helm"), "--kubeconfig=" + c.dir + "/admin.kubeconfig", "--namespace=" + Namespace}, args...),
		Env:  append(os.Environ(), "HOME="+c.dir),
	})
	if res.Code != 0 {
		c.t.Fatalf("helm %v: exit %d\n%s%s", args, res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout
}

// Rendered is the chart with these values, as for this API server.
func (c *Cluster) Rendered(values ...string) string {
	c.t.Helper()
	return c.Helm(append([]string{"template", "sluice", Chart(), "--kube-version=1.35.0"}, sets(values)...)...)
}

// sets makes Helm's arguments of values.
func sets(values []string) []string {
	var args []string
	for _, v := range values {
		args = append(args, "--set", v)
	}
	return args
}
