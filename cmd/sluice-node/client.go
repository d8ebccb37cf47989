package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluicemesh/sluice/cni/node/agent"
)

// clientOf speaks protobuf, a third of JSON's bytes, and reads a rotated token
// again by itself. An empty path means the pod's own credentials.
func clientOf(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	config.UserAgent = rest.DefaultKubernetesUserAgent() + " sluice-node/" + version
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.QPS, config.Burst = 20, 110 // a node's burst of pods that are not in the cache yet
	return kubernetes.NewForConfig(config)
}

// retire runs where no agent does, in a job before the chart is deleted.
func retire(ctx context.Context, args []string, out, log io.Writer) error {
	var kubeconfig, namespace, daemonSet string
	var wait time.Duration
	err := parse("retire", args, log, func(f *flag.FlagSet) {
		f.StringVar(&kubeconfig, "kubeconfig", "", "credentials outside of a pod; empty means the pod's own")
		f.StringVar(&namespace, "namespace", os.Getenv("NAMESPACE"), "the DaemonSet's namespace (else from NAMESPACE)")
		f.StringVar(&daemonSet, "daemonset", "sluice-node", "and its name")
		f.DurationVar(&wait, "wait", 5*time.Minute, "how long to wait for all nodes")
	})
	if err != nil {
		return err
	}
	client, err := clientOf(kubeconfig)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := agent.Retire(ctx, client, namespace, daemonSet); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "DaemonSet %s/%s and its pods are gone\n", namespace, daemonSet)
	return err
}
