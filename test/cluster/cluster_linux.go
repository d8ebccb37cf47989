package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sluicemesh/sluice/test/containerd"
	"github.com/sluicemesh/sluice/test/rig"
)

// Names and addresses of the one node.
const (
	NodeName  = "node-a"
	nodeIP    = "198.18.64.1"
	services  = "198.18.80.0/24"
	serviceIP = "198.18.80.1" // the API server's
)

// Cluster is a running Kubernetes of one node.
type Cluster struct {
	*containerd.Runtime
	// Client is an administrator's.
	Client kubernetes.Interface
	// Config is the administrator's connection.
	Config *rest.Config

	t         testing.TB
	bin, dir  string
	processes map[string]*rig.Process
}

// Start starts everything and waits until the node is ready but for its
// network, which a configuration must bring (see Runtime.Conflist).
func Start(t testing.TB) *Cluster {
	t.Helper()
	keepSysctls(t)
	c := &Cluster{t: t, bin: Binaries(t), Runtime: containerd.Start(t), processes: map[string]*rig.Process{}}
	c.dir = filepath.Join(c.Dir, "cluster")
	for _, d := range []string{"pki", "kubelet", "manifests", "logs", "pods"} {
		c.must(os.MkdirAll(filepath.Join(c.dir, d), 0o755))
	}
	c.Node.IP("link", "add", "nodes", "type", "bridge")
	c.Node.IP("addr", "add", nodeIP+"/24", "dev", "nodes")
	c.Node.IP("link", "set", "nodes", "up")
	c.Node.IP("addr", "add", serviceIP+"/32", "dev", "lo")
	c.credentials()
	t.Cleanup(c.end)
	c.StartControl()
	c.must(c.connect())
	c.Await("the API server", func() error {
		_, err := c.Client.CoreV1().Namespaces().Get(context.Background(), "kube-system", metav1.GetOptions{})
		return err
	})
	c.cgroups()
	c.StartKubelet()
	c.Await("the node to be registered", func() error {
		_, err := c.Client.CoreV1().Nodes().Get(context.Background(), NodeName, metav1.GetOptions{})
		return err
	})
	return c
}

// must ends the test on an error of the rig.
func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// connect makes the administrator's client: it dials inside the namespace.
func (c *Cluster) connect() (err error) {
	c.Config = &rest.Config{
		Host: "https://" + serviceIP, BearerToken: adminToken, QPS: 200, Burst: 400,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			return c.Node.Dial(rig.Root, network, addr)
		},
	}
	c.Client, err = kubernetes.NewForConfig(c.Config)
	return err
}

// Await polls until the function gives nil. Two minutes are long for everything here: the slowest is a client that waits before it tries again.
func (c *Cluster) Await(what string, done func() error) {
	c.t.Helper()
	const patience = 2 * time.Minute
	deadline := time.Now().Add(patience)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waited %v for %s: %v", patience, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// AwaitNodeReady waits for the kubelet's own word.
func (c *Cluster) AwaitNodeReady() {
	c.t.Helper()
	c.Await("the node to be ready", func() error {
		n, err := c.Client.CoreV1().Nodes().Get(context.Background(), NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, cond := range n.Status.Conditions {
			if cond.Type == corev1.NodeReady && cond.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("conditions %v", n.Status.Conditions)
	})
}

// Tokens of the static token file.
const (
	adminToken = "admin-token"
	nodeToken  = "node-token"
)

// credentials writes what the components share.
func (c *Cluster) credentials() {
	c.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	c.must(err)
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	c.write("pki/sa.key", string(pem.EncodeToMemory(block)))
	c.write("tokens.csv", fmt.Sprintf("%s,admin,admin,system:masters\n%s,system:node:%s,node,system:nodes\n", adminToken, nodeToken, NodeName))
	for name, token := range map[string]string{"admin": adminToken, "node": nodeToken} {
		c.write(name+".kubeconfig", kubeconfig(token))
	}
	c.write("resolv.conf", "")
	c.write("kubelet.yaml", c.kubeletConfig())
}

func (c *Cluster) write(name, text string) {
	c.t.Helper()
	c.must(os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600))
}

func kubeconfig(token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`, serviceIP, token)
}

// end stops the components. The pods go with the runtime, by their cgroup: one
// that was restarted meanwhile has ended already.
func (c *Cluster) end() {
	for _, name := range []string{"kubelet", "scheduler", "controllers", "apiserver", "etcd"} {
		c.Stop(name)
	}
}

// Output is what a component has written.
func (c *Cluster) Output(name string) string {
	if p := c.processes[name]; p != nil {
		return p.Output()
	}
	return ""
}

// Stop kills a component: etcd, apiserver, controllers, scheduler or kubelet.
func (c *Cluster) Stop(name string) {
	if p := c.processes[name]; p != nil {
		p.Stop()
		if c.t.Failed() {
			c.t.Logf("%s said:\n%s", name, tail(p.Output()))
		}
		delete(c.processes, name)
	}
}

func tail(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
