package netconf

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/builder"
)

// MaxArgs bounds CNI_ARGS in bytes, and with it SLUICE_CONFIG.
const (
	MaxArgs         = 16 << 10
	MaxSluiceConfig = 8 << 10
)

// SluiceConfig is the name in CNI_ARGS under which a runtime without
// Kubernetes states the settings of one container.
const SluiceConfig = "SLUICE_CONFIG"

// ArgsOrigin begins the origin of every setting that stands in CNI_ARGS.
const ArgsOrigin = "CNI_ARGS "

// Args is what CNI_ARGS says. Names that nobody here reads are left to the
// plugins that do, whether or not IgnoreUnknown is set.
type Args struct {
	Namespace, Name, UID, SandboxID string
	// Config is SLUICE_CONFIG, still encoded; HasConfig tells empty from absent.
	Config    string
	HasConfig bool
}

// Kubernetes tells whether the container is a Kubernetes pod, which has name
// and namespace. (podman gives its containers a K8S_POD_NAME, but no namespace.)
func (a Args) Kubernetes() bool { return a.Namespace != "" && a.Name != "" }

// ParseArgs reads "NAME=VALUE;NAME=VALUE". Of a name given twice the last
// value counts.
func ParseArgs(text string) (Args, error) {
	var a Args
	if len(text) > MaxArgs {
		return a, fmt.Errorf("CNI_ARGS has %d bytes, more than %d", len(text), MaxArgs)
	}
	for item := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(item, "=")
		if strings.TrimSpace(item) == "" {
			continue
		}
		if !ok {
			return Args{}, fmt.Errorf("CNI_ARGS: %q is not NAME=VALUE", item)
		}
		a.set(name, value)
	}
	return a, nil
}

func (a *Args) set(name, value string) {
	switch name {
	case "K8S_POD_NAMESPACE":
		a.Namespace = value
	case "K8S_POD_NAME":
		a.Name = value
	case "K8S_POD_UID":
		a.UID = value
	case "K8S_POD_INFRA_CONTAINER_ID":
		a.SandboxID = value
	case SluiceConfig:
		a.Config, a.HasConfig = value, true
	}
}

// Settings decodes SLUICE_CONFIG: a settings object in base64url without
// padding.
func (a Args) Settings() ([]builder.Input, []error) {
	if len(a.Config) > MaxSluiceConfig {
		return nil, []error{fmt.Errorf("CNI_ARGS %s has %d bytes, more than %d", SluiceConfig, len(a.Config), MaxSluiceConfig)}
	}
	doc, err := base64.RawURLEncoding.DecodeString(a.Config)
	if err != nil {
		return nil, []error{fmt.Errorf("CNI_ARGS %s is not base64url without padding: %w", SluiceConfig, err)}
	}
	return Object(doc, ArgsOrigin+SluiceConfig)
}
