package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// The media types of the OCI image specification 1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Run says how an image is started.
type Run struct {
	User       string            `json:"User,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

// Image is one image for one architecture.
type Image struct {
	Arch   string // as Go spells it
	Run    Run
	Layers []Layer
}

// Layer is one layer; Why is its line in the image's history.
type Layer struct {
	Tree Tree
	Why  string
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// Write writes the images as one OCI layout in a tar archive: an index with a
// manifest for each architecture, under the reference name ("host/path:tag").
// It returns the index's digest, by which the image can be pinned.
func Write(w io.Writer, name, tag string, when time.Time, images []Image) (digest string, err error) {
	l := layout{when: when, blobs: map[string][]byte{}}
	var manifests []descriptor
	for _, i := range images {
		m, err := l.image(i)
		if err != nil {
			return "", err
		}
		manifests = append(manifests, m)
	}
	index := l.json(typeIndex, map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": manifests})
	top := index
	top.Annotations = map[string]string{"io.containerd.image.name": name + ":" + tag, "org.opencontainers.image.ref.name": tag}
	return index.Digest, l.write(w, top)
}

// layout gathers blobs by digest.
type layout struct {
	when  time.Time
	blobs map[string][]byte
}

func (l layout) image(i Image) (descriptor, error) {
	var layers []descriptor
	var diffs []string
	var history []map[string]string
	created := l.when.UTC().Format(time.RFC3339)
	for _, layer := range i.Layers {
		raw, err := layer.Tree.Tar(l.when)
		if err != nil {
			return descriptor{}, err
		}
		packed, err := squeeze(raw)
		if err != nil {
			return descriptor{}, err
		}
		diffs = append(diffs, digestOf(raw))
		layers = append(layers, l.blob(typeLayer, packed))
		history = append(history, map[string]string{"created": created, "created_by": layer.Why})
	}
	at := platform{i.Arch, "linux"}
	config := l.json(typeConfig, map[string]any{
		"created": created, "architecture": at.Architecture, "os": at.OS, "config": i.Run,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs}, "history": history,
	})
	m := l.json(typeManifest, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "config": config, "layers": layers, "annotations": i.Run.Labels,
	})
	m.Platform = &at
	return m, nil
}

// squeeze compresses without a name or a time in the header.
func squeeze(raw []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (l layout) json(mediaType string, v any) descriptor {
	body, err := json.Marshal(v)
	if err != nil { // strings, numbers and maps of them
		panic(err)
	}
	return l.blob(mediaType, body)
}

func (l layout) blob(mediaType string, body []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digestOf(body), Size: len(body)}
	l.blobs[d.Digest] = body
	return d
}

func digestOf(body []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(body)) }

// write writes the archive: the two files that make it a layout, then blobs.
func (l layout) write(out io.Writer, top descriptor) error {
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{top}})
	if err != nil {
		return err
	}
	t := Tree{}
	t.File("oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	t.File("index.json", 0o644, index)
	for digest, body := range l.blobs {
		t.File("blobs/sha256/"+digest[len("sha256:"):], 0o644, body)
	}
	raw, err := t.Tar(l.when)
	if err != nil {
		return err
	}
	_, err = out.Write(raw)
	return err
}

// Read gives back the regular files of an uncompressed tar archive for which
// want holds, and its links; paths are without a leading "./".
func Read(r io.Reader, want func(name string) bool) (Tree, error) {
	t := Tree{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return t, nil
		case err != nil:
			return nil, err
		case !want(clean(h.Name)) || !slices.Contains([]byte{tar.TypeReg, tar.TypeSymlink}, h.Typeflag):
			continue
		case h.Typeflag == tar.TypeSymlink:
			t.Link(h.Name, h.Linkname)
			continue
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		t.File(h.Name, h.FileInfo().Mode().Perm(), body)
	}
}
