package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// image is a container image of one layer, made of files of this machine.
type image struct {
	name    string            // such as docker.io/library/test:1
	files   map[string]string // path in the image to file here
	texts   map[string]string // path in the image to content
	links   map[string]string // path in the image to target
	command []string
}

// write writes the image as an OCI layout in a tar file, as `ctr images import` reads it.
func (i *image) write(path string) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	blob := func(b []byte) (descriptor, error) {
		sum := sha256.Sum256(b)
		digest := hex.EncodeToString(sum[:])
		return descriptor{Digest: "sha256:" + digest, Size: len(b)}, addFile(w, "blobs/sha256/"+digest, b, 0o644)
	}
	layerAt, err := blob(layer)
	if err != nil {
		return err
	}
	layerAt.MediaType = "application/vnd.oci.image.layer.v1.tar"
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Cmd": i.command, "Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layerAt.Digest}},
	})
	if err != nil {
		return err
	}
	configAt, err := blob(config)
	if err != nil {
		return err
	}
	configAt.MediaType = "application/vnd.oci.image.config.v1+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": configAt, "layers": []descriptor{layerAt},
	})
	if err != nil {
		return err
	}
	manifestAt, err := blob(manifest)
	if err != nil {
		return err
	}
	manifestAt.MediaType = "application/vnd.oci.image.manifest.v1+json"
	manifestAt.Annotations = map[string]string{"io.containerd.image.name": i.name}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifestAt}})
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"index.json": string(index), "oci-layout": `{"imageLayoutVersion":"1.0.0"}`} {
		if err := addFile(w, name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// descriptor points at a blob (OCI image specification).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (i *image) layer() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"bin", "etc", "tmp", "dev", "proc", "sys", "lib", "lib64", "var"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	for name, from := range i.files {
		b, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		if err := addFile(w, name, b, 0o755); err != nil {
			return nil, err
		}
	}
	for name, text := range i.texts {
		if err := addFile(w, name, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for name, target := range i.links {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func addFile(w *tar.Writer, name string, content []byte, mode int64) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.Clean(name), Size: int64(len(content)), Mode: mode}); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	_, err := io.Copy(w, bytes.NewReader(content))
	return err
}
