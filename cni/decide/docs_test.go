package decide

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheDocumentationHasEveryRow(t *testing.T) {
	text, err := os.ReadFile("../../docs/cni.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table() {
		if row := fmt.Sprintf("| %d | `%s` |", r.number, r.reason); r.outcome != Ask && !strings.Contains(string(text), row) {
			t.Errorf("docs/cni.md lacks %q", row)
		}
	}
}
