// Package release tests what `make release` gives to others.
package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

func TestRelease(t *testing.T) {
	server.Need(t, "make", "make")
	root := parts.Root()
	shell(t, root, "make release")
	folder := filepath.Join(root, "build", "bin", "release")
	said := shell(t, folder, "sha256sum --check --strict SHA256SUMS")

	line, version := pluginLine(t, read(t, folder, "plugin.cfg"))
	if _, command, _ := strings.Cut(string(read(t, root, "docs", "reference.md")), "\nsed -i 's|^k8s_external:k8s_external$|"); !strings.HasPrefix(command, line+`\n&|' plugin.cfg`) {
		t.Errorf("docs/reference.md adds another line to plugin.cfg than %s", line)
	}
	amd64, arm64 := "headless-"+version+"-linux-amd64", "headless-"+version+"-linux-arm64"
	files := []string{"SHA256SUMS", amd64 + ".tar.gz", arm64 + ".tar.gz", "plugin.cfg"}
	if got := names(t, folder); !slices.Equal(got, files) {
		t.Errorf("files are %q, want %q", got, files)
	}
	for _, f := range files[1:] {
		if !strings.Contains(said, f+": OK\n") {
			t.Errorf("no checksum of %s: %s", f, said)
		}
	}
	for name, machine := range map[string]elf.Machine{amd64: elf.EM_X86_64, arm64: elf.EM_AARCH64} {
		t.Run(name, func(t *testing.T) {
			program := unpack(t, filepath.Join(folder, name+".tar.gz"), name)
			f, err := elf.Open(program)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Machine != machine {
				t.Errorf("it is for %s", f.Machine)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
					t.Errorf("it is not static: %s", p.Type)
				}
			}
			licences := string(read(t, filepath.Dir(program), "licences.txt"))
			info, err := buildinfo.ReadFile(program)
			if err != nil {
				t.Fatal(err)
			}
			if len(info.Deps) < 100 {
				t.Errorf("linked from %d modules", len(info.Deps))
			}
			for _, m := range info.Deps {
				if m.Version != "(devel)" && m.Replace == nil && !strings.Contains(licences, "==> "+m.Path+" "+m.Version) {
					t.Errorf("no licence of %s %s", m.Path, m.Version)
				}
			}
		})
	}

	program := unpack(t, filepath.Join(folder, amd64+".tar.gz"), amd64)
	if got := shell(t, "/", program+" -version"); !strings.Contains(got, "with headless-"+version+"\n") {
		t.Errorf("it says %s", got)
	}
	if got := shell(t, "/", program+" -plugins"); !slices.Contains(strings.Fields(got), "headless") {
		t.Errorf("its plugins are %s", got)
	}

	// Another folder, another time: the same bytes.
	elsewhere := t.TempDir()
	shell(t, root, "cp -R go.mod go.sum LICENSE *.go plugin "+elsewhere+" && mkdir "+elsewhere+"/build && cp -R build/*.* build/release "+elsewhere+"/build")
	shell(t, filepath.Join(elsewhere, "build"), "CGO_ENABLED=0 go run ./release")
	for _, f := range files {
		if !bytes.Equal(read(t, folder, f), read(t, elsewhere, "build", "bin", "release", f)) {
			t.Errorf("%s is another one when it is built elsewhere", f)
		}
	}
}

// pluginLine is the line of plugin.cfg, and the version that the command for go get names.
func pluginLine(t *testing.T, text []byte) (line, version string) {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^[^#].*$`).FindAllString(string(text), -1)
	m := regexp.MustCompile(`(?m)^# go get (\S+)@v(\d+\.\d+\.\d+)$`).FindStringSubmatch(string(text))
	if len(lines) != 1 || m == nil || lines[0] != "headless:"+m[1] {
		t.Fatalf("plugin.cfg: %s", text)
	}
	return lines[0], m[2]
}

// unpack returns where CoreDNS of an archive is, beside the archive's other files.
func unpack(t *testing.T, archive, folder string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	modes, dir := make(map[string]int64), t.TempDir()
	for r := tar.NewReader(zip); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		modes[head.Name] = head.Mode
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(head.Name)), content, os.FileMode(head.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	if want := map[string]int64{folder + "/LICENSE": 0o644, folder + "/coredns": 0o755, folder + "/licences.txt": 0o644}; !maps.Equal(modes, want) {
		t.Fatalf("%s: files and modes are %v, want %v", archive, modes, want)
	}
	if !bytes.Equal(read(t, dir, "LICENSE"), read(t, parts.Root(), "LICENSE")) {
		t.Errorf("%s: LICENSE is not this project's", archive)
	}
	return filepath.Join(dir, "coredns")
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func names(t *testing.T, folder string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func shell(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// What people copy names this version, and the Dockerfile the version of Go that go.mod asks for.
func TestVersionsAreTheSources(t *testing.T) {
	root := parts.Root()
	find := func(pattern string, path ...string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)` + pattern).FindSubmatch(read(t, append([]string{root}, path...)...))
		if m == nil {
			t.Fatalf("no %s in %s", pattern, filepath.Join(path...))
		}
		return string(m[1])
	}
	if image, module := find(`^ARG BUILDER=golang:(\S+)$`, "build", "Dockerfile"), find(`^go (\d+\.\d+)`, "build", "go.mod"); image != module {
		t.Errorf("the Dockerfile takes Go %s, go.mod %s", image, module)
	}
	named := regexp.MustCompile(`(?:coredns-headless:|newTag: |tag: )v?(\d+\.\d+\.\d+)`)
	files := strings.Fields(shell(t, root, "find README*.md docs deploy -name '*.md' -o -name '*.yaml'"))
	var found int
	for _, f := range files {
		for _, m := range named.FindAllSubmatch(read(t, root, f), -1) {
			if found++; string(m[1]) != headless.Version {
				t.Errorf("%s names %s, this is %s", f, m[0], headless.Version)
			}
		}
	}
	if found == 0 {
		t.Errorf("no version in %q", files)
	}
}
