package test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// What the documents say a test shows, a test of that name shows.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	tests := make(map[string]bool)
	var documents []string
	root := os.DirFS(parts.Root())
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && len(path) > 1 && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			documents = append(documents, path)
		case strings.HasSuffix(path, "_test.go"):
			text, err := fs.ReadFile(root, path)
			if err != nil {
				return err
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				tests[string(m[1])] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, path := range documents {
		text, err := fs.ReadFile(root, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(text), -1) {
			if named++; !tests[name] {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d tests are named in all documents", named)
	}
}
