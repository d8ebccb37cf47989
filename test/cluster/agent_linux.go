package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicemesh/sluice/test/containerd"
	"github.com/sluicemesh/sluice/test/program"
	"github.com/sluicemesh/sluice/test/rig"
)

// AgentImage is the image that the shipped manifests name.
const AgentImage = "ghcr.io/sluicemesh/sluice-node:dev"

// BuildAgent makes the agent's image of this tree.
func (c *Cluster) BuildAgent() {
	c.t.Helper()
	var files []containerd.File
	for _, p := range []string{"sluice-node", "sluice-cni"} {
		files = append(files, containerd.File{Path: "/usr/local/bin/" + p, From: program.Build(c.t, "cmd/"+p)})
	}
	c.Image(AgentImage, files...)
}

// BinDir is where the node's runtime looks for plugins.
func (c *Cluster) BinDir() string { return filepath.Join(c.Dir, "cni/bin") }

// Manifest is a shipped manifest with the paths of this node instead of a real
// one's, and nothing else changed.
func (c *Cluster) Manifest(name string) string {
	c.t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(), "deploy/manifests", name))
	c.must(err)
	socket := filepath.Join(c.Dir, "run")
	text := strings.NewReplacer(
		"/etc/cni/net.d", c.ConfDir(), "/opt/cni/bin", c.BinDir(), "/run/sluice", socket,
		"            - --log-format=text\n", "            - --log-format=text\n            - --agent-socket="+socket+"/node.sock\n",
	).Replace(string(raw))
	if strings.Count(text, socket) < 3 {
		c.t.Fatalf("%s does not name the socket's folder where it was expected:\n%s", name, text)
	}
	return text
}

// Kubectl runs kubectl as the administrator with this input; the test ends if
// it fails.
func (c *Cluster) Kubectl(input string, args ...string) string {
	c.t.Helper()
	res := c.Node.RunCmd(rig.Cmd{
		Args:  append([]string{filepath.Join(c.bin, "kubectl"), "--kubeconfig=" + c.dir + "/admin.kubeconfig"}, args...),
		Stdin: input, Env: append(os.Environ(), "HOME="+c.dir),
	})
	if res.Code != 0 {
		c.t.Fatalf("kubectl %v: exit %d\n%s%s", args, res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout
}

// Deployment is the manifest of an app that serves on port 8080, in a namespace
// whose pods are injected or not.
func Deployment(namespace, name string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: %[3]s
          imagePullPolicy: Never
          command: ["/testsidecar", "app", "app", "0.0.0.0:8080", "[::]:8080"]
          securityContext: {runAsUser: 1000, runAsGroup: 1000}
`, namespace, name, containerd.SidecarImage)
}
