package documents

import (
	"regexp"
	"testing"
)

// What the documents say a test shows, a test of that name shows.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	tests := functions(t)
	named := 0
	for _, path := range markdown(t) {
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(read(t, path), -1) {
			if named++; !tests[name] {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d tests are named in all documents", named)
	}
}

// functions are the names of all tests and benchmarks.
func functions(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	walk(t, "_test.go", func(path string) {
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
			names[m[1]] = true
		}
	})
	return names
}
