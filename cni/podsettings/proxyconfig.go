package podsettings

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
)

const proxyConfigKey = "proxy.istio.io/config"

// proxyConfig is the proxy config annotation as far as it concerns interception.
type proxyConfig struct {
	values   map[string]string // scalars at the top level
	metadata map[string]string // proxyMetadata
}

// readProxyConfig reads the annotation; a pod without one has an empty one.
func readProxyConfig(p podapi.Pod) (proxyConfig, error) {
	text, ok := p.Annotations[proxyConfigKey]
	if !ok {
		return proxyConfig{}, nil
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return proxyConfig{}, badProxyConfig(text, err)
	}
	c := proxyConfig{values: map[string]string{}, metadata: map[string]string{}}
	for key, node := range doc {
		if node.Kind == yaml.ScalarNode {
			c.values[key] = node.Value
		}
	}
	if node, ok := doc["proxyMetadata"]; ok {
		if err := node.Decode(&c.metadata); err != nil {
			return proxyConfig{}, badProxyConfig(text, err)
		}
	}
	return c, nil
}

func badProxyConfig(text string, err error) error {
	const limit = 80
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return &builder.Problem{
		Flag:     proxyConfigKey,
		Origin:   "annotation " + proxyConfigKey,
		Value:    text,
		Reason:   strings.ReplaceAll(err.Error(), "\n", " "),
		Accepted: "a YAML or JSON object, plain values under proxyMetadata",
	}
}
