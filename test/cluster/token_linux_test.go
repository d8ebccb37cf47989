//go:build cluster

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	authentication "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sluicemesh/sluice/cni/node/pods"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// token makes one that dies with a secret of this name.
func (c *Cluster) token(secret string) string {
	c.t.Helper()
	ctx, core := context.Background(), c.Client.CoreV1()
	_, err := core.Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret}}, metav1.CreateOptions{})
	c.must(err)
	res, err := core.ServiceAccounts("default").CreateToken(ctx, "agent", &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{
		BoundObjectRef: &authentication.BoundObjectReference{Kind: "Secret", APIVersion: "v1", Name: secret},
	}}, metav1.CreateOptions{})
	c.must(err)
	return res.Status.Token
}

func TestARotatedTokenIsReadAgainAndTheWatchGoesOn(t *testing.T) {
	c := Start(t)
	ctx := t.Context()
	c.Kubectl("", "create", "serviceaccount", "agent", "-n", "default")
	c.Kubectl("", "create", "clusterrole", "agent", "--verb=get,list,watch", "--resource=pods")
	c.Kubectl("", "create", "clusterrolebinding", "agent", "--clusterrole=agent", "--serviceaccount=default:agent")
	file := filepath.Join(t.TempDir(), "token")
	first := c.token("first")
	c.must(os.WriteFile(file, []byte(first), 0o600))

	config := rest.Config{Host: c.Config.Host, Dial: c.Config.Dial, TLSClientConfig: c.Config.TLSClientConfig, BearerTokenFile: file}
	client, err := kubernetes.NewForConfig(&config)
	c.must(err)
	watch, err := pods.NewWatch(client, "node-b", func(error) {}) // refusals are what the test makes
	c.must(err)
	done := make(chan struct{})
	runCtx, cancel := context.WithCancel(ctx)
	go func() { watch.Run(runCtx, 0); close(done) }()
	defer func() { cancel(); <-done }()
	c.Await("the first list", func() error {
		if !watch.Synced() {
			return fmt.Errorf("not synced")
		}
		return nil
	})

	c.must(os.WriteFile(file, []byte(c.token("second")), 0o600))
	c.Kubectl("", "delete", "secret", "first", "-n", "default")
	old, err := kubernetes.NewForConfig(&rest.Config{Host: c.Config.Host, Dial: c.Config.Dial, TLSClientConfig: c.Config.TLSClientConfig, BearerToken: first})
	c.must(err)
	c.Await("the first token to be refused", func() error {
		if _, err := old.CoreV1().Pods("default").List(ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
			return fmt.Errorf("got %w", errors.Join(errors.New("no refusal"), err))
		}
		return nil
	})
	c.Stop("apiserver") // the watch has to come back with a token that is accepted
	c.StartAPIServer()
	// Pods of a node that does not exist are collected as garbage within a minute,
	// which is as long as a client goes on with a token that it has read.
	c.Await("the node", func() error {
		_, err := c.Client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-b"}}, metav1.CreateOptions{})
		return err
	})
	var p *corev1.Pod
	c.Await("a new pod", func() (err error) {
		p, err = c.Client.CoreV1().Pods("default").Create(ctx, onNode("node-b", 1), metav1.CreateOptions{})
		return err
	})
	c.Await("the new pod in the cache", func() error {
		res, via := watch.Source().Answer(ctx, podapi.Request{Namespace: "default", Name: p.Name, UID: string(p.UID)})
		if !res.Found || via != pods.Cache {
			return fmt.Errorf("found %v via %s: %s", res.Found, via, res.Error)
		}
		return nil
	})
}
