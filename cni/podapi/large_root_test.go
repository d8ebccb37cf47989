//go:build linux

// The tests of this file need root: the socket's folder belongs to uid 0.
package podapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What Kubernetes takes of a pod at most: annotations by its own validation,
// the whole by etcd's --max-request-bytes.
const (
	mostAnnotations = 256 << 10
	mostOfAPod      = 3 << 19
)

// largest is a pod of that size. JSON writes each of its bytes as six.
func largest() Pod {
	p := cart()
	const key = "traffic.sidecar.istio.io/excludeOutboundIPRanges"
	p.Annotations = map[string]string{key: strings.Repeat("\x01", mostAnnotations-len(key))}
	p.Containers = []Container{{Name: ProxyName, Env: []Env{{Name: "ISTIO_OUTBOUND_OWNER_GROUPS", Value: strings.Repeat("\x01", mostOfAPod-mostAnnotations)}}}}
	return p
}

func TestTheLargestPodThatKubernetesTakesIsAnswered(t *testing.T) {
	want := largest()
	a := &agent{pod: want}
	path := start(t, Server{Handler: a})
	res, err := Ask(soon(t), path, Request{Namespace: "shop", Name: "cart", UID: "u1"})
	if err != nil || !reflect.DeepEqual(*res.Pod, want) {
		t.Errorf("got %v, failures %v; want the pod as it is", err, a.failures())
	}
}

func TestARequestIsNoLargerForThat(t *testing.T) {
	path := start(t, Server{Handler: &agent{pod: largest()}})
	_, err := Ask(soon(t), path, Request{Namespace: "shop", Name: strings.Repeat("x", MaxRequest)})
	wantKind(t, err, Garbled)
	if MaxRequest != 4096 {
		t.Errorf("requests have %d bytes, want 4096", MaxRequest)
	}
}

// stuck asks for the pod and does not read the answer.
func stuck(t *testing.T, path string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprint(conn, `{"pod":{"version":1,"namespace":"shop","name":"cart","uid":"u1"}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // until the answer fills the socket
}

func TestLargeAnswersTakeTurnsAndSmallOnesDoNotWait(t *testing.T) {
	a := &agent{pod: largest()}
	path := start(t, Server{Handler: a, Timeout: 2 * time.Second})
	stuck(t, path)
	within := func(d time.Duration, name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		_, err := Ask(ctx, path, Request{Namespace: "shop", Name: name, UID: "u1"})
		return err
	}
	if err := within(time.Second, "till"); err != nil {
		t.Errorf("a small answer beside a large one that nobody reads: %v", err)
	}
	wantKind(t, within(300*time.Millisecond, "cart"), Slow)
	if err := within(10*time.Second, "cart"); err != nil {
		t.Errorf("a large answer after the turn of the one that nobody reads: %v", err)
	}
}

func TestACallerThatComesAsTheServerEndsIsHungUpOn(t *testing.T) {
	for i := range 50 {
		path := fmt.Sprintf("%s/run%d/agent.sock", t.TempDir(), i)
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := (Server{Handler: &agent{}}).Serve(ctx, l); err != nil {
			t.Fatalf("Serve: got %v, want nil after its context ended", err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); isTimeout(err) {
			t.Fatalf("round %d: the connection is still open", i)
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
