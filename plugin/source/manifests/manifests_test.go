package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
	"github.com/coredns-headless/headless/plugin/tree"
)

// web is a manifest of the headless Service nginx in a namespace, with endpoints pod=address.
func web(namespace string, endpoints ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Service\nmetadata: {namespace: %s, name: nginx, resourceVersion: \"7\"}\nspec: {clusterIP: None}\n---\n", namespace)
	fmt.Fprintf(&b, "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  namespace: %s\n  name: nginx-x\n  resourceVersion: \"8\"\n", namespace)
	fmt.Fprintf(&b, "  labels: {kubernetes.io/service-name: nginx}\naddressType: IPv4\nendpoints:\n")
	for _, e := range endpoints {
		pod, addr, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "- {addresses: [%s], targetRef: {kind: Pod, name: %s}}\n", addr, pod)
	}
	return b.String()
}

// written is a clock of the files that write writes: each gets a second of its own, however fast the test is.
var written = time.Now().Add(-time.Hour).Truncate(time.Second)

func write(t *testing.T, path, text string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o600))
	written = written.Add(time.Second)
	must(t, os.Chtimes(path, written, written))
	return path
}

func TestManifestsReadFilesAndFolders(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "explicit.txt"), web("explicit", "web-0=10.0.0.1"))
	folder := filepath.Join(dir, "folder")
	for i, name := range []string{"a.yaml", "b.yml", "c.json", "d.txt", "e", ".f.yaml", "g.yaml~", "H.YAML"} {
		write(t, filepath.Join(folder, name), web(fmt.Sprintf("ns%d", i), "web-0=10.0.1.1"))
	}
	write(t, filepath.Join(folder, "deeper.yaml", "x.yaml"), web("deeper", "web-0=10.0.1.1"))
	must(t, os.Symlink("nowhere", filepath.Join(folder, "link.yaml")))

	before := time.Now().Unix()
	w, err := Open("test", []string{file, folder}, nil)
	after := time.Now().Unix()
	must(t, err)
	if !w.Tree().IsDone() {
		t.Error("not synced at once")
	}
	sourcetest.Expect(t, w.Tree(), map[string]string{
		"explicit/web-0": "10.0.0.1",                                                   // whatever its name
		"ns0/web-0":      "10.0.1.1", "ns1/web-0": "10.0.1.1", "ns2/web-0": "10.0.1.1", // .yaml, .yml, .json
		"ns3": "", "ns4": "", "ns5": "", "ns6": "", "ns7": "", "deeper": "",
	})
	if lines := log.With(); len(lines) > 0 {
		t.Errorf("log: %q", lines)
	}
	if serial := int64(w.Tree().Serial(new(tree.Path))); serial < before || serial > after {
		t.Errorf("serial %d is no Unix time between %d and %d", serial, before, after)
	}
}

func TestManifestsOfALaterPathWin(t *testing.T) {
	dir := t.TempDir()
	a := write(t, filepath.Join(dir, "a.yaml"), web("default", "web-0=10.0.0.1", "web-1=10.0.0.1"))
	b := write(t, filepath.Join(dir, "b.yaml"), web("default", "web-0=10.0.0.2"))
	for name, paths := range map[string][]string{"files": {a, b}, "the other way round": {b, a}, "folder": {dir}, "folder and file": {dir, a}} {
		t.Run(name, func(t *testing.T) {
			w, err := Open("test", paths, nil)
			must(t, err)
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.2", "default/web-1": "", "default/nginx": "10.0.0.2"})
		})
	}
}

func TestNamespacesFilterManifests(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"),
		web("a", "web-0=10.0.0.1")+"---\n"+web("b", "web-0=10.0.0.2")+"---\n"+web("c", "web-0=10.0.0.3"))
	w, err := Open("test", []string{path}, []string{"a", "c"})
	must(t, err)
	sourcetest.Expect(t, w.Tree(), map[string]string{"a/web-0": "10.0.0.1", "b/web-0": "", "b": "", "c/web-0": "10.0.0.3"})
	counts(t, w, object.KindEndpointSlice, 2, 0)
	if !w.Tree().IsDone() {
		t.Error("not synced")
	}
}

func TestManifestsCountAndWarnOfWhatTheyLeaveOut(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("default", "web-0=10.0.0.1")+
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: lost}\n")
	w, err := Open("test", []string{path}, nil)
	must(t, err)
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
	counts(t, w, object.KindService, 1, 1)
	if lines := log.With("WARNING", `test: Service "/lost": left out: no namespace`); len(lines) != 1 {
		t.Errorf("log: %q", log.With())
	}
}

func TestManifestsThatAreNoGoodAtStartAreAnError(t *testing.T) {
	const allowed = "; give YAML or JSON files, or folders of them"
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "good.yaml"), web("default", "web-0=10.0.0.1"))
	bad := write(t, filepath.Join(dir, "sub", "bad.yaml"), "kind: Other\n---\nkind: a: b\n")
	pipe := filepath.Join(dir, "pipes", "pipe.yaml")
	must(t, os.Mkdir(filepath.Dir(pipe), 0o755))
	must(t, syscall.Mkfifo(pipe, 0o600))
	tests := []struct {
		name  string
		paths []string
		want  string
	}{
		{name: "device", paths: []string{good, "/dev/zero"}, want: `manifests "/dev/zero": neither a file nor a folder` + allowed},
		{name: "named pipe", paths: []string{good, pipe}, want: fmt.Sprintf("manifests %q: neither a file nor a folder%s", pipe, allowed)},
		{name: "named pipe in a folder", paths: []string{filepath.Dir(pipe)}, want: fmt.Sprintf("manifests %q: neither a file nor a folder%s", pipe, allowed)},
		{name: "missing", paths: []string{good, dir + "/none.yaml"}, want: fmt.Sprintf("manifests %q: no such file or directory%s", dir+"/none.yaml", allowed)},
		{name: "below a file", paths: []string{good + "/x"}, want: fmt.Sprintf("manifests %q: not a directory%s", good+"/x", allowed)},
		{name: "malformed", paths: []string{good, bad}, want: fmt.Sprintf("manifests %q: document 2, line 3: mapping values are not allowed in this context", bad)},
		{name: "malformed in a folder", paths: []string{dir + "/sub"}, want: fmt.Sprintf("manifests %q: document 2, line 3: mapping values are not allowed in this context", bad)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open("test", tt.paths, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tt.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", err, tt.want)
			}
		})
	}
}

func TestManifestsThatMayNotBeReadAreAnError(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything: test/manifests takes that right away")
	}
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	file := write(t, filepath.Join(dir, "file.yaml"), web("default"))
	must(t, os.Mkdir(folder, 0o300))
	must(t, os.Chmod(file, 0o200))
	for _, path := range []string{folder, file} {
		_, err := Open("test", []string{path}, nil)
		want := fmt.Sprintf("manifests %q: permission denied; give YAML or JSON files, or folders of them", path)
		if err == nil || err.Error() != want {
			t.Errorf("got\n\t%v\nwant\n\t%s", err, want)
		}
	}
}
