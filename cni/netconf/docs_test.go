package netconf

import (
	"os"
	"strings"
	"testing"
)

func TestTheDocumentationHasEveryKeyOfOurs(t *testing.T) {
	text, err := os.ReadFile("../../docs/cni.md")
	if err != nil {
		t.Fatal(err)
	}
	own := keys()[len(standardKeys())+len(classicKeys()):]
	if len(own) == 0 {
		t.Fatal("no keys")
	}
	for _, k := range own {
		if !strings.Contains(string(text), "| `"+k.name+"` |") {
			t.Errorf("docs/cni.md lacks the key %s", k.name)
		}
	}
}
