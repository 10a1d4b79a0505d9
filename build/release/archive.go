package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// archive is CoreDNS and the licences of all that it is linked from, in a folder. The same sources give the same
// bytes.
func archive(folder, arch string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "headless-release-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // a temporary folder of the system's
	program := filepath.Join(tmp, "coredns")
	if _, err := goTool(
		arch, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, ".",
	); err != nil {
		return nil, err
	}
	coredns, err := os.ReadFile(program) // #nosec G304 -- just built
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("../LICENSE")
	if err != nil {
		return nil, err
	}
	others, err := licences(arch)
	if err != nil {
		return nil, err
	}

	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, f := range []struct {
		name    string
		mode    int64
		content []byte
	}{{"LICENSE", 0o644, own}, {"coredns", 0o755, coredns}, {"licences.txt", 0o644, others}} {
		head := &tar.Header{Name: folder + "/" + f.name, Mode: f.mode, Size: int64(len(f.content))}
		if err := w.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err = errors.Join(w.Close(), zip.Close())
	return out.Bytes(), err
}

var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents)[^.]*(\.(txt|md|libyaml|csv))?$`)

// licences is the text of the licences and notices of Go and of each module that CoreDNS is linked from, with its
// version: those in the folders of its packages, and above.
func licences(arch string) ([]byte, error) {
	const format = "{{with .Module}}{{if .Version}}{{.Path}} {{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"
	list, err := goTool(arch, "list", "-deps", "-f", format, ".")
	if err != nil {
		return nil, err
	}
	goroot, err := goTool(arch, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	texts := make(map[string][]byte) // by module, version and path
	if err := collect(texts, runtime.Version(), string(bytes.TrimSpace(goroot))); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		for module, root, folder := f[0], f[1], f[2]; len(folder) >= len(root); folder = filepath.Dir(folder) {
			if err := collect(texts, module+strings.TrimPrefix(folder, root), folder); err != nil {
				return nil, err
			}
		}
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(&out, "==> %s\n\n%s\n", name, texts[name])
	}
	return out.Bytes(), nil
}

// collect adds the licences and notices in a folder.
func collect(texts map[string][]byte, name, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !licence.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name())) // #nosec G304 -- of the module cache
		if err != nil {
			return err
		}
		texts[name+" "+e.Name()] = text
	}
	return nil
}
