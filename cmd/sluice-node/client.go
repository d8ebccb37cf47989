package main

import (
	"fmt"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
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
