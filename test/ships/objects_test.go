package ships

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
)

// A field that Kubernetes does not know, or a value of the wrong type, would be
// dropped by an API server, or refuse the whole object.
func TestEveryObjectDecodesStrictlyAsItsKind(t *testing.T) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	decoded := 0
	for name, body := range folder(t, filepath.Join(top, "deploy/manifests")) {
		for doc := range strings.SplitSeq(string(body), "\n---\n") {
			if strings.Contains(doc, "kind: NetworkAttachmentDefinition") { // Multus's own
				continue
			}
			if _, _, err := strict.Decode([]byte(doc), nil, nil); err != nil {
				t.Errorf("%s: %v in\n%s", name, err, doc)
			}
			decoded++
		}
	}
	if decoded < 40 {
		t.Errorf("decoded %d objects, want all of the manifests", decoded)
	}
	wrong := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {title: x}\n"
	if _, _, err := strict.Decode([]byte(wrong), nil, nil); err == nil {
		t.Error("a misspelt field is not noticed")
	}
}
