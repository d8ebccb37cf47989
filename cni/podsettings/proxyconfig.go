package podsettings

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
)

const proxyConfigKey = "proxy.istio.io/config"

// interceptionMode is the one key at the top level that concerns interception.
const interceptionMode = "interceptionMode"

// proxyConfig is the proxy config annotation as far as it concerns interception.
type proxyConfig struct {
	values   map[string]string // by key of the top level
	metadata map[string]string // proxyMetadata
}

// readProxyConfig reads the annotation; a pod without one has an empty one.
func readProxyConfig(p podapi.Pod) (proxyConfig, error) {
	text := p.Annotations[proxyConfigKey]
	var doc struct {
		Mode     string            `yaml:"interceptionMode"`
		Metadata map[string]string `yaml:"proxyMetadata"`
	}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return proxyConfig{}, badProxyConfig(text, err)
	}
	return proxyConfig{values: map[string]string{interceptionMode: doc.Mode}, metadata: doc.Metadata}, nil
}

// reason leaves out which Go type a value does not fit: "line 2: cannot use
// !!seq" is all that helps.
func reason(err error) string {
	var misfits *yaml.TypeError
	if !errors.As(err, &misfits) {
		return strings.ReplaceAll(err.Error(), "\n", " ")
	}
	var texts []string
	for _, text := range misfits.Errors {
		const into = " into " // the type is behind the last one
		parts := strings.Split(text, into)
		text = strings.Join(parts[:max(1, len(parts)-1)], into)
		texts = append(texts, strings.ReplaceAll(text, "cannot unmarshal", "cannot use"))
	}
	return strings.Join(texts, "; ")
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
		Reason:   reason(err),
		Accepted: "a YAML or JSON object, plain values for interceptionMode and under proxyMetadata",
	}
}
