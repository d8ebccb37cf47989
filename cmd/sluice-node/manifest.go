package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// subject is a pod of a manifest, or the pod that a controller would make.
type subject struct {
	kind    string
	pod     podapi.Pod
	windows bool
}

// String is "shop/cart", or "Deployment shop/cart".
func (s subject) String() string {
	name := s.pod.Namespace + "/" + s.pod.Name
	if s.kind == "Pod" {
		return name
	}
	return s.kind + " " + name
}

// manifest is what a text of YAML or JSON documents describes.
type manifest struct {
	subjects []subject
	others   []string // the objects that make no pods, "Service cart"
}

// readManifest reads every document of the text and the items of lists.
func readManifest(text []byte) (manifest, error) {
	var m manifest
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for n := 1; ; n++ {
		var raw yamlDoc
		err := docs.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err == nil && len(raw) > 0 && string(raw) != "null" {
			err = m.add(json.RawMessage(raw), "")
		}
		if err != nil {
			return m, fmt.Errorf("manifest, document %d: %w", n, err)
		}
	}
}

// yamlDoc takes one document as it is.
type yamlDoc []byte

func (d *yamlDoc) UnmarshalJSON(raw []byte) error {
	*d = bytes.Clone(raw)
	return nil
}

// head is what every object of Kubernetes has.
type head struct {
	Kind     string
	Metadata struct{ Namespace, Name, GenerateName string }
	Items    []json.RawMessage
}

// add takes an object; kind is what an item of a typed list is, which need not
// say so itself.
func (m *manifest) add(raw json.RawMessage, kind string) error {
	var h head
	if err := json.Unmarshal(raw, &h); err != nil {
		return plainly(err)
	}
	h.Kind = cmp.Or(h.Kind, kind)
	if of, ok := strings.CutSuffix(h.Kind, "List"); ok {
		for i, item := range h.Items {
			if err := m.add(item, of); err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
		}
		return nil
	}
	way, ok := podsettings.Templates()[h.Kind]
	switch {
	case h.Kind == "":
		return errors.New("it has no kind: want a Kubernetes object")
	case !ok:
		m.others = append(m.others, h.Kind+" "+h.Metadata.Name)
		return nil
	}
	return m.addPod(h, at(raw, way...))
}

func (m *manifest) addPod(h head, raw json.RawMessage) error {
	name := cmp.Or(h.Metadata.Name, h.Metadata.GenerateName)
	if raw == nil || name == "" {
		return fmt.Errorf("%s %s: it has no name, or no pod template", h.Kind, name)
	}
	pod, err := podsettings.Decode(raw)
	if err != nil {
		return fmt.Errorf("%s %s: %w", h.Kind, name, plainly(err))
	}
	pod.Namespace, pod.Name = cmp.Or(h.Metadata.Namespace, "default"), name
	windows := string(at(raw, "spec", "os", "name")) == `"windows"` || string(at(raw, "spec", "nodeSelector", "kubernetes.io/os")) == `"windows"`
	m.subjects = append(m.subjects, subject{h.Kind, pod, windows})
	return nil
}

// at follows keys into objects; nil if there is nothing.
func at(raw json.RawMessage, way ...string) json.RawMessage {
	for _, key := range way {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			return nil
		}
		raw = fields[key]
	}
	return raw
}

// plainly says what stands in a wrong place without words of this program.
func plainly(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &wrong):
		return err
	case wrong.Field == "":
		return fmt.Errorf("want a Kubernetes object, got %s", wrong.Value)
	}
	keys := strings.Split(wrong.Field, ".")
	for i, k := range keys {
		keys[i] = strings.ToLower(k[:1]) + k[1:]
	}
	return fmt.Errorf("%s: Kubernetes accepts no %s there", strings.Join(keys, "."), wrong.Value)
}
