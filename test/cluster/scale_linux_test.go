//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sluicemesh/sluice/cni/node/pods"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/test/rig"
)

// counted counts the bytes that connections carry, TLS included.
type counted struct{ in, out atomic.Int64 }

type countedConn struct {
	net.Conn
	c *counted
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.c.in.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.c.out.Add(int64(n))
	return n, err
}

// client is an agent's: protobuf over a connection of its own.
func (c *Cluster) client(count *counted) kubernetes.Interface {
	c.t.Helper()
	config := rest.CopyConfig(c.Config)
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	config.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		conn, err := c.Node.Dial(rig.Root, network, addr)
		return countedConn{conn, count}, err
	}
	client, err := kubernetes.NewForConfig(config)
	c.must(err)
	return client
}

// onNode is a pod of a node that has no kubelet, with the size of an injected one.
func onNode(node string, i int) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("%s-%d", node, i), Annotations: map[string]string{
			"padding": strings.Repeat("a mesh's annotations and a last-applied configuration ", 40)}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "app", Image: "x", Env: []corev1.EnvVar{{Name: "A", Value: "B"}}}}},
	}
	doc, _ := json.Marshal(injection(p)[0].Value)
	_ = json.Unmarshal(doc, &p.Annotations)
	p.Spec.InitContainers = injection(p)[1].Value.([]corev1.Container)
	p.Spec.Containers = append(p.Spec.Containers, injection(p)[2].Value.(corev1.Container))
	return p
}

// figure is one line of docs/scale.md's table.
type figure struct {
	what, value string
}

// TestScaleFigures measures what docs/scale.md computes with. It holds only
// what must be true on any machine; the figures go to build/scale.txt.
func TestScaleFigures(t *testing.T) {
	const many = 110
	c := Start(t)
	ctx := context.Background()
	c.Await("the namespace's service account", func() error {
		_, err := c.Client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	var all counted
	admin := c.client(&all)
	for i := range many {
		_, err := admin.CoreV1().Pods("default").Create(ctx, onNode("node-b", i), metav1.CreateOptions{})
		c.must(err)
	}
	var figures []figure
	note := func(what, format string, args ...any) {
		figures = append(figures, figure{what, fmt.Sprintf(format, args...)})
	}

	var count counted
	listed := c.client(&count)
	var away atomic.Bool
	watch, err := pods.NewWatch(listed, "node-b", func(err error) {
		if !away.Load() {
			t.Error(err)
		}
	})
	c.must(err)
	heap := heapNow()
	runCtx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	began := time.Now()
	go func() { watch.Run(runCtx, 0); close(done) }()
	c.Await("the pods", func() error {
		if !watch.Synced() || len(watch.Pods()) < many {
			return fmt.Errorf("%d pods", len(watch.Pods()))
		}
		return nil
	})
	note("start: list and watch of 110 pods", "%d ms, %d KiB received", time.Since(began).Milliseconds(), count.in.Load()>>10)
	perPod := count.in.Load() / many
	note("received per pod at the start", "%d bytes", perPod)
	note("heap kept per pod", "%d bytes", (heapNow()-heap)/many)

	before := count.in.Load()
	const changes = 100
	for i := range changes {
		_, err := admin.CoreV1().Pods("default").Patch(ctx, fmt.Sprintf("node-b-%d", i), "application/merge-patch+json",
			fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, i), metav1.PatchOptions{})
		c.must(err)
	}
	time.Sleep(500 * time.Millisecond)
	note("received per change of a pod", "%d bytes", (count.in.Load()-before)/changes)

	source := watch.Source()
	began = time.Now()
	for i := range many {
		p, _ := source.Stored(fmt.Sprintf("default/node-b-%d", i))
		if res, via := source.Answer(ctx, podapi.Request{Namespace: "default", Name: p.Name, UID: string(p.UID)}); !res.Found || via != pods.Cache {
			t.Fatalf("pod %d: got %s, want the cache", i, via)
		}
	}
	cached := time.Since(began)
	note("110 answers from the cache", "%.1f ms", cached.Seconds()*1e3)

	gets := gets(t, c, many)
	note("110 live GETs, a client and connection each (a plugin with a credential)", "%d ms, %d KiB received", gets.took.Milliseconds(), gets.bytes>>10)
	if cached > gets.took {
		t.Errorf("answers from the cache took %v, GETs %v: want the cache to be faster", cached, gets.took)
	}
	away.Store(true)
	note("the API server is killed and starts again", "%d KiB received until the next change is known", restart(c, watch, &count)>>10)
	cancel()
	<-done
	c.figures("scale.txt", figures...)
}

// figures logs them and writes them, as lines of a table, to a file under build.
func (c *Cluster) figures(file string, list ...figure) {
	c.t.Helper()
	var text strings.Builder
	for _, f := range list {
		fmt.Fprintf(&text, "| %s | %s |\n", f.what, f.value)
	}
	c.t.Logf("\n%s", &text)
	c.must(os.WriteFile(filepath.Join(root(), "build", file), []byte(text.String()), 0o644))
}

// restart gives what a watch receives from an API server that comes back.
func restart(c *Cluster, watch *pods.Watch, count *counted) int64 {
	c.t.Helper()
	before := count.in.Load()
	c.Stop("apiserver")
	c.StartAPIServer()
	var changed *corev1.Pod
	c.Await("a change", func() (err error) {
		changed, err = c.Client.CoreV1().Pods("default").Patch(context.Background(), "node-b-0", "application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"after":"restart"}}}`), metav1.PatchOptions{})
		return err
	})
	c.Await("the change in the cache", func() error {
		if p, ok := watch.Source().Stored("default/node-b-0"); !ok || p.ResourceVersion != changed.ResourceVersion {
			return fmt.Errorf("got %+v, want version %s", p, changed.ResourceVersion)
		}
		return nil
	})
	return count.in.Load() - before
}

type cost struct {
	took  time.Duration
	bytes int64
}

// gets asks for every pod with a client and a connection of its own, as a
// plugin that is a Kubernetes client does.
func gets(t *testing.T, c *Cluster, n int) cost {
	var count counted
	began := time.Now()
	for i := range n {
		client := c.client(&count)
		if _, err := client.CoreV1().Pods("default").Get(context.Background(), fmt.Sprintf("node-b-%d", i), metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return cost{time.Since(began), count.in.Load()}
}

func heapNow() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
