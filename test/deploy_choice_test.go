package test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/documents"
	"github.com/coredns-headless/headless/test/parts"
)

// The first command of the documentation writes another address and another suffix into every file that has them, and
// changes nothing else; TestDeployCorefiles and TestDeployStubs run what it was written into.
func TestAddressAndSuffixAreChosenInOnePlace(t *testing.T) {
	t.Parallel()
	const address, suffix = "10.43.0.53", "pods.example.com"
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(deployed("."))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-ec", choice(t))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	back := strings.NewReplacer(address, "10.96.0.53", suffix, "pods.example.org")
	changed := 0
	err := fs.WalkDir(os.DirFS(dir), "deploy", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		now, was := readFile(t, filepath.Join(dir, path)), readFile(t, filepath.Join(parts.Root(), path))
		folder := filepath.Base(filepath.Dir(path))
		chosen := folder == "stub" || strings.HasPrefix(folder, "suffix")
		if chosen && (strings.Contains(now, "10.96.0.53") || strings.Contains(now, "example.org")) {
			t.Errorf("%s still has what was there before:\n%s", path, now)
		}
		if now != was {
			changed++
		}
		if chosen && back.Replace(now) != was || !chosen && now != was {
			t.Errorf("%s has other changes:\n%s", path, now)
		}
		return nil
	})
	if err != nil || changed < 9 {
		t.Errorf("%d files are changed: %v", changed, err)
	}
	text := kubectl(t, "", "kustomize", filepath.Join(dir, "deploy", "suffix-external"))
	for _, w := range []string{"  clusterIP: " + address + "\n", "suffix " + suffix + " default.svc.cluster.local\n"} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

// choice is the first block below the heading.
func choice(t *testing.T) string {
	t.Helper()
	blocks, err := documents.Blocks("docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.Heading == "A CoreDNS beside it" {
			return b.Text
		}
	}
	t.Fatal("docs/deploy.md has no such block")
	return ""
}
