package cni

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/containernetworking/cni/pkg/types/create"
)

// result is what ADD answers: what the plugins before have made, byte for byte,
// or an empty result where there are none. A plugin before us that answered in
// another version than it was asked in is translated.
func result(version string, prev json.RawMessage) ([]byte, error) {
	if len(prev) == 0 {
		return fmt.Appendf(nil, `{"cniVersion":%q}`, version), nil
	}
	var has struct{ CNIVersion string }
	if err := json.Unmarshal(prev, &has); err != nil {
		return nil, failf(CodeConfig, "prevResult: %v", err)
	}
	if has.CNIVersion == version || has.CNIVersion == "" {
		return prev, nil
	}
	old, err := create.Create(has.CNIVersion, prev)
	if err != nil {
		return nil, failf(CodeConfig, "prevResult: %v", err)
	}
	translated, err := old.GetAsVersion(version)
	if err != nil {
		return nil, failf(CodeConfig, "prevResult of version %s as %s: %v", has.CNIVersion, version, err)
	}
	var out bytes.Buffer
	err = translated.PrintTo(&out)
	return bytes.TrimSpace(out.Bytes()), err
}
