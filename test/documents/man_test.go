package documents

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// The manual page is what `make man` makes of the README, has nothing that mandoc warns of, and fits a terminal of 80 columns, but for
// what stands in the README's own blocks and names.
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
		t.Error("man/coredns-headless.7 is not what README.md gives: run make man")
	}
	if out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
	text, err := exec.Command("sh", "-c", `mandoc -T ascii -O width=80 "$1" | col -bx`, "sh", page).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range []string{"\nNAME\n", "\nRECORDS\n", "\nSYNTAX\n", "\nEXAMPLES\n", "\nMETRICS\n", "\nBUGS\n"} {
		if !strings.Contains(string(text), heading) {
			t.Errorf("no heading %q", heading)
		}
	}
	readme := read(t, "README.md")
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); len(line) > 80 && !strings.Contains(readme, strings.TrimSpace(line)) {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
