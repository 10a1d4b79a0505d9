package documents

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// Every fenced block in a language says behind it which test runs it, or which file has the very same lines; the few
// that nothing here can run, for want of a registry or a chart, say untested. A block without a language shows a
// form.
func TestEveryBlockIsRun(t *testing.T) {
	tests := functions(t)
	for _, path := range files(t, ".md") {
		if path == "README.zh.md" || path == "CONTRIBUTING.md" {
			continue // the blocks of README.md, which are run there, and commands of developers
		}
		blocks, err := Blocks(path)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			switch copied := strings.ContainsAny(b.By, "/."); {
			case b.Language == "", b.By == "untested", tests[b.By]:
			case !copied:
				t.Errorf("%s:%d: there is no test %q that runs the block", path, b.Line, b.By)
			case !strings.Contains(read(t, b.By), b.Text):
				t.Errorf("%s:%d: %s has other lines than\n%s", path, b.Line, b.By, b.Text)
			}
		}
	}
}

// What the documents say a test shows, a test of that name shows.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	tests := functions(t)
	for _, path := range files(t, ".md") {
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(read(t, path), -1) {
			if !tests[name] {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
}

// functions are the names of all tests.
func functions(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, path := range files(t, "_test.go") {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
			names[m[1]] = true
		}
	}
	return names
}

// files are those of the project whose names end so.
func files(t *testing.T, end string) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(parts.Root()), ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && len(path) > 1 && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case !e.IsDir() && strings.HasSuffix(path, end):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
