package documents

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// The manual page is what `make man` makes of docs/reference.md, and mandoc has no warning about it.
func TestManualPage(t *testing.T) {
	server.Need(t, "mandoc", "mandoc")
	page := filepath.Join(t.TempDir(), "coredns-headless.7")
	cmd := exec.Command("make", "--no-print-directory", "man", "MAN="+page)
	cmd.Dir = parts.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make man: %v\n%s", err, out)
	}
	made, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(made) != read(t, "man/coredns-headless.7") {
		t.Error("man/coredns-headless.7 differs from docs/reference.md: run make man")
	}
	if out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}
