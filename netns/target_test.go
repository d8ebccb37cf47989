package netns

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParseTarget: a name can never lead out of the folder of named namespaces.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"", "1", "0", "-1", "cni-123", "../x", "a/../b", "/proc/1/ns/net", "/run/netns/../../etc/passwd", "..", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text)
		if err != nil || text == "" || strings.Contains(text, "/") {
			return
		}
		for _, path := range target.paths() {
			dir := filepath.Dir(path)
			if filepath.Clean(path) != path || dir != "/run/netns" && dir != "/var/run/netns" && filepath.Dir(filepath.Dir(dir)) != "/proc" {
				t.Fatalf("%q leads to %q", text, path)
			}
		}
	})
}
