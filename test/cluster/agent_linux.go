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
	return c.here(string(raw))
}

// here puts the paths of this node into a manifest of the agent.
func (c *Cluster) here(manifest string) string {
	c.t.Helper()
	socket := filepath.Join(c.Dir, "run")
	text := strings.NewReplacer(
		"/etc/cni/net.d", c.ConfDir(), "/opt/cni/bin", c.BinDir(), "/run/sluice", socket,
		"            - --log-format=text\n", "            - --log-format=text\n            - --agent-socket="+socket+"/node.sock\n",
	).Replace(manifest)
	if strings.Count(text, socket) < 3 {
		c.t.Fatalf("the manifest does not name the socket's folder where it was expected:\n%s", text)
	}
	return text
}

// Kubectl runs kubectl as the administrator with this input; the test ends if
// it fails.
func (c *Cluster) Kubectl(input string, args ...string) string {
	c.t.Helper()
	res := c.TryKubectl(input, args...)
	if res.Code != 0 {
		c.t.Fatalf("kubectl %v: exit %d\n%s%s", args, res.Code, res.Stdout, res.Stderr)
	}
	return res.Stdout
}

// TryKubectl is Kubectl for what may fail.
func (c *Cluster) TryKubectl(input string, args ...string) rig.Result {
	c.t.Helper()
	return c.Node.RunCmd(rig.Cmd{
		Args:  append([]string{filepath.Join(c.bin, "kubectl"), "--kubeconfig=" + c.dir + "/admin.kubeconfig"}, args...),
		Stdin: input, Env: append(os.Environ(), "HOME="+c.dir),
	})
}

// Deployment is the manifest of an app that serves on port 8080, in a namespace
// whose pods are injected or not, with these annotations ("key: value") on its
// pods.
func Deployment(namespace, name string, annotations ...string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[2]s}}
  template:
%[3]s`, namespace, name, template(name, "Always", annotations))
}

// Job is Deployment for a Job whose containers are never run again.
func Job(namespace, name string) string {
	return fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  template:
%[3]s`, namespace, name, template(name, "Never", nil))
}

// template is a pod's, indented as both of them need it.
func template(name, restart string, annotations []string) string {
	return fmt.Sprintf(`    metadata: {labels: {app: %[1]s}, annotations: {%[2]s}}
    spec:
      restartPolicy: %[3]s
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: %[4]s
          imagePullPolicy: Never
          command: ["/testsidecar", "app", "app", "0.0.0.0:8080", "[::]:8080"]
          securityContext: {runAsUser: 1000, runAsGroup: 1000}
`, name, strings.Join(annotations, ", "), restart, containerd.SidecarImage)
}
