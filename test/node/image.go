package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
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
	server  string // file in the image that containers run as user 65532, on a port below 1024, instead of command
}

// netBindService is the extended attribute of a file with the capability cap_net_bind_service, as setcap writes it:
// struct vfs_cap_data of linux/capability.h, revision 2, the effective bit, and bit 10 of what is permitted.
const netBindService = "\x01\x00\x00\x02\x00\x04" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// write writes the image as `docker save` does, which `ctr images import` reads.
func (i *image) write(path string) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	run := map[string]any{"Cmd": i.command, "Env": []string{"PATH=/bin"}}
	if i.server != "" {
		run = map[string]any{"Entrypoint": []string{"/" + i.server}, "User": "65532:65532"}
	}
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": run,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{
		{"Config": "config.json", "RepoTags": []string{i.name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range map[string][]byte{"manifest.json": manifest, "config.json": config, "layer.tar": layer} {
		if err := addFile(w, name, content, 0o644, nil); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
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
		var records map[string]string
		if name == i.server {
			records = map[string]string{"SCHILY.xattr.security.capability": netBindService}
		}
		if err := addFile(w, name, b, 0o755, records); err != nil {
			return nil, err
		}
	}
	for name, text := range i.texts {
		if err := addFile(w, name, []byte(text), 0o644, nil); err != nil {
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

func addFile(w *tar.Writer, name string, content []byte, mode int64, records map[string]string) error {
	header := tar.Header{Typeflag: tar.TypeReg, Name: filepath.Clean(name), Size: int64(len(content)), Mode: mode, PAXRecords: records}
	if err := w.WriteHeader(&header); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	_, err := io.Copy(w, bytes.NewReader(content))
	return err
}
