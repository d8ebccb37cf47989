package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// workload is one pod, or the pod that a controller makes, as a manifest
// describes it.
type workload struct {
	file                  string
	document, line        int // of the document in the file, from 1
	kind, namespace, name string
	pod                   podapi.Pod
}

// String is "Deployment shop/web".
func (w workload) String() string {
	if w.namespace == "" {
		return w.kind + " " + w.name
	}
	return w.kind + " " + w.namespace + "/" + w.name
}

// place is where the workload stands, for errors and headers.
func (w workload) place() string {
	return fmt.Sprintf("%s, document %d (line %d), %s", w.file, w.document, w.line, w)
}

// manifestError is something in a manifest that cannot be used.
type manifestError struct {
	place string
	err   error
}

func (e *manifestError) Error() string { return e.place + ": " + e.err.Error() }
func (e *manifestError) Unwrap() error { return e.err }

// manifestErrors are all that is wrong with the manifests, reported together.
type manifestErrors []error

func (list manifestErrors) Error() string {
	texts := make([]string, len(list))
	for i, err := range list {
		texts[i] = err.Error()
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return fmt.Sprintf("%d errors in manifests:\n  %s", len(texts), strings.Join(texts, "\n  "))
}

// mostManifest is the size of a manifest that is read, in bytes.
const mostManifest = 64 << 20

// readManifests reads every workload of a file, of stdin ("-") or of the YAML
// and JSON files below a directory, in the order of their names.
func readManifests(stdin io.Reader, path string) ([]workload, error) {
	list, err := readWorkloads(stdin, path)
	if err == nil && len(list) == 0 {
		return nil, &usageError{fmt.Errorf("%s describes no pod, and nothing that makes pods", path)}
	}
	return list, err
}

func readWorkloads(stdin io.Reader, path string) ([]workload, error) {
	if path == "-" {
		return readManifest("stdin", stdin)
	}
	files, err := manifestFiles(path)
	if err != nil {
		return nil, &usageError{err}
	}
	var list []workload
	var errs manifestErrors
	for _, file := range files {
		found, err := readManifestFile(file)
		list = append(list, found...)
		errs = appendErrors(errs, err)
	}
	if len(errs) > 0 {
		return list, errs
	}
	return list, nil
}

func appendErrors(errs manifestErrors, err error) manifestErrors {
	var many manifestErrors
	switch {
	case err == nil:
		return errs
	case errors.As(err, &many):
		return append(errs, many...)
	}
	return append(errs, err)
}

func readManifestFile(file string) ([]workload, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, &usageError{err}
	}
	defer f.Close()
	return readManifest(file, f)
}

func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			files = append(files, name)
		}
		return err
	})
	return files, err // WalkDir goes in the order of names
}

// readManifest reads every document of one file.
func readManifest(file string, r io.Reader) ([]workload, error) {
	data, err := io.ReadAll(io.LimitReader(r, mostManifest+1))
	if err != nil {
		return nil, err
	}
	if len(data) > mostManifest {
		return nil, &usageError{fmt.Errorf("%s is larger than %d bytes", file, mostManifest)}
	}
	var list []workload
	var errs manifestErrors
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for n := 1; ; n++ {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // behind it the file cannot be read any more
			errs = append(errs, &manifestError{fmt.Sprintf("%s, document %d", file, n), errors.New(oneLine(err))})
			break
		}
		found, err := workloadsOf(&node, workload{file: file, document: n, line: node.Line})
		list = append(list, found...)
		errs = appendErrors(errs, err)
	}
	if len(errs) > 0 {
		return list, errs
	}
	return list, nil
}

// workloadsOf finds the workloads of a document: none, one, or those of a list.
func workloadsOf(node *yaml.Node, w workload) ([]workload, error) {
	if node.Kind == yaml.DocumentNode {
		if len(node.Content) == 0 {
			return nil, nil
		}
		node = node.Content[0]
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	w.line, w.kind = node.Line, scalar(child(node, "kind"))
	w.namespace, w.name = scalar(child(node, "metadata", "namespace")), scalar(child(node, "metadata", "name"))
	if items := child(node, "items"); items != nil && strings.HasSuffix(w.kind, "List") {
		return listed(items, w)
	}
	way, ok := podsettings.Templates()[w.kind]
	if !ok {
		return nil, nil
	}
	if w.name == "" {
		w.name = scalar(child(node, "metadata", "generateName"))
	}
	pod := child(node, way...)
	if pod == nil {
		return nil, &manifestError{w.place(), fmt.Errorf("no pod template at %s", strings.Join(way, "."))}
	}
	return w.decode(pod)
}

func listed(items *yaml.Node, w workload) ([]workload, error) {
	var list []workload
	var errs manifestErrors
	for _, item := range items.Content {
		found, err := workloadsOf(item, workload{file: w.file, document: w.document})
		list = append(list, found...)
		errs = appendErrors(errs, err)
	}
	if len(errs) > 0 {
		return list, errs
	}
	return list, nil
}

// decode reads the pod or template that a workload stands for.
func (w workload) decode(node *yaml.Node) ([]workload, error) {
	var errs manifestErrors
	for _, field := range []string{"annotations", "labels"} {
		errs = append(errs, w.notText(node, field)...)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	doc, err := jsonOf(node)
	if err == nil {
		w.pod, err = podsettings.Decode(doc)
	}
	if err != nil {
		return nil, &manifestError{w.place(), errors.New(oneLine(err))}
	}
	w.pod.Namespace, w.pod.Name = w.namespace, w.name
	return []workload{w}, nil
}

// notText finds annotations or labels that the API server would refuse, since
// YAML reads their values as numbers or booleans.
func (w workload) notText(pod *yaml.Node, field string) []error {
	m := child(pod, "metadata", field)
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	var errs []error
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if value.Kind == yaml.ScalarNode && value.Tag != "!!str" && value.Tag != "!!null" {
			errs = append(errs, &manifestError{w.place(), fmt.Errorf("%s %s=%s: not a text, and Kubernetes accepts texts only (accepted: %q in quotes)",
				strings.TrimSuffix(field, "s"), key.Value, value.Value, value.Value)})
		}
	}
	return errs
}

// child follows keys into mappings; nil if there is nothing.
func child(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if node = value(node, key); node == nil {
			return nil
		}
	}
	return node
}

func value(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value != key {
			continue
		}
		if v := node.Content[i+1]; v.Kind != yaml.AliasNode {
			return v
		}
		return node.Content[i+1].Alias
	}
	return nil
}

func scalar(node *yaml.Node) string {
	if node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	return node.Value
}
