package documents

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// file is what is written as a file or folder is.
var file = regexp.MustCompile(`^[\w.]+(/[\w.]*)+$|^[\w.]+\.(go|md|yml)$`)

// The map names files, folders and commands that are there, and every room and folder of tests; `make lint unit` is what runs this.
//
//doc:runs CONTRIBUTING.md#Tests 1
func TestContributingNamesWhatIsThere(t *testing.T) {
	text := read(t, "CONTRIBUTING.md")
	blocks, err := Blocks("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		codes = append(codes, m[1])
	}
	for _, b := range blocks {
		if b.Language == "sh" {
			codes = append(codes, strings.TrimSpace(b.Text))
		}
	}
	for _, code := range codes {
		if targets, ok := strings.CutPrefix(code, "make "); ok {
			wantTargets(t, "CONTRIBUTING.md", targets)
		} else if file.MatchString(code) {
			if _, err := os.Stat(filepath.Join(parts.Root(), code)); err != nil {
				t.Errorf("CONTRIBUTING.md names %s: %v", code, err)
			}
		}
	}
	for _, parent := range []string{"plugin", "test"} {
		folders, err := os.ReadDir(filepath.Join(parts.Root(), parent))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			if f.IsDir() && hasTests(t, parent+"/"+f.Name()) && !strings.Contains(text, "`"+parent+"/"+f.Name()+"`") {
				t.Errorf("CONTRIBUTING.md does not name %s/%s", parent, f.Name())
			}
		}
	}
}

func hasTests(t *testing.T, folder string) bool {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(parts.Root(), folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list) > 0
}

// The README names the Go that the module asks for.
func TestReadmeNamesGo(t *testing.T) {
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if m == nil || !strings.Contains(read(t, "README.md"), "Go "+m[1]+", make and git") {
		t.Errorf("README.md does not begin with the Go of go.mod: %q", m)
	}
}

// variable is an argument of make that is no target.
var variable = regexp.MustCompile(`\w+=('[^']*'|\S*)`)

// wantTargets checks that the Makefile has what make is given.
func wantTargets(t *testing.T, path, arguments string) {
	t.Helper()
	for target := range strings.FieldsSeq(variable.ReplaceAllString(arguments, "")) {
		if !strings.Contains(read(t, "Makefile"), "\n"+target+":") {
			t.Errorf("%s: there is no make %s", path, target)
		}
	}
}
