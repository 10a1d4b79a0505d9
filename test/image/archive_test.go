package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// An archive is an OCI image layout in a tar file: its files by path.
type archive map[string][]byte

func open(t *testing.T, path string) archive {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := make(archive)
	for _, e := range untar(t, f) {
		a[e.Name] = e.content
	}
	return a
}

// entry is a file of a tar file.
type entry struct {
	*tar.Header
	content []byte
}

func untar(t *testing.T, from io.Reader) (list []entry) {
	t.Helper()
	r := tar.NewReader(from)
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, entry{head, content})
	}
}

// descriptor, index, manifest and config are the parts of the OCI image specification that the tests look at.
type descriptor struct {
	MediaType, Digest string
	Platform          struct{ OS, Architecture string }
}

type index struct{ Manifests []descriptor }

type manifest struct {
	Config descriptor
	Layers []descriptor
}

type config struct {
	OS, Architecture string
	Config           struct {
		User, WorkingDir string
		Env              []string
		Entrypoint, Cmd  []string
		ExposedPorts     map[string]struct{}
		Labels           map[string]string
		Volumes          map[string]struct{}
	}
}

func (a archive) blob(t *testing.T, d descriptor) []byte {
	t.Helper()
	b, ok := a["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if !ok {
		t.Fatalf("no blob %s", d.Digest)
	}
	return b
}

func decode[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// only is the one image, or list of images, in the archive.
func (a archive) only(t *testing.T) descriptor {
	t.Helper()
	list := decode[index](t, a["index.json"]).Manifests
	if len(list) != 1 {
		t.Fatalf("want one image: %s", a["index.json"])
	}
	return list[0]
}

// image is what it is to be run with, and all its files.
func (a archive) image(t *testing.T, d descriptor) (c config, files []entry) {
	t.Helper()
	m := decode[manifest](t, a.blob(t, d))
	for _, layer := range m.Layers {
		b := a.blob(t, layer)
		if strings.HasSuffix(layer.MediaType, "+gzip") {
			r, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, untar(t, r)...)
			continue
		}
		files = append(files, untar(t, bytes.NewReader(b))...)
	}
	return decode[config](t, a.blob(t, m.Config)), files
}
