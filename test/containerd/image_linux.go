package containerd

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const pauseImage = "sluice.test/pause:1"

// SidecarImage holds the tests' sidecar, server and client as /testsidecar.
const SidecarImage = "sluice.test/testsidecar:1"

// Image makes an image of these files, of which the first is the entry point,
// and imports it. The name needs a domain and a tag ("sluice.test/x:1").
func (r *Runtime) Image(name string, files ...File) {
	r.t.Helper()
	archive := filepath.Join(r.Dir, "images", strings.NewReplacer("/", "_", ":", "_").Replace(name)+".tar")
	if err := writeImage(archive, name, files); err != nil {
		r.t.Fatal(err)
	}
	r.Import(archive)
}

// Import imports an image archive, of Docker's form or an OCI layout, under the
// names that it states.
func (r *Runtime) Import(archive string) {
	r.t.Helper()
	cmd := exec.Command("ctr", "--address", r.socket(), "-n", "k8s.io", "images", "import", archive)
	if text, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("import %s: %v\n%s", archive, err, text)
	}
}

// writeImage writes a docker-archive: one layer, its configuration, and the
// manifest that names both.
func writeImage(archive, name string, files []File) error {
	layer, err := layerOf(files)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Env": []string{"PATH=/:/usr/sbin:/usr/bin"}, "Entrypoint": []string{files[0].Path}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range []struct {
		name string
		body []byte
	}{{"layer.tar", layer}, {"config.json", config}, {"manifest.json", manifest}} {
		if err := add(w, f.name, 0o644, f.body); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(archive, buf.Bytes(), 0o644)
}

func layerOf(files []File) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, dir := range []string{"tmp/", "etc/", "run/", "proc/", "sys/", "dev/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, f := range files {
		if seen[f.Path] {
			continue
		}
		seen[f.Path] = true
		if err := f.add(w); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), w.Close()
}

func (f File) add(w *tar.Writer) error {
	name := strings.TrimPrefix(f.Path, "/")
	if f.Link != "" {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: f.Link, Mode: 0o777})
	}
	body, err := os.ReadFile(f.From)
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(body))}
	if f.Caps != "" {
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": f.Caps}
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}

func add(w *tar.Writer, name string, mode int64, body []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(body))}); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}
