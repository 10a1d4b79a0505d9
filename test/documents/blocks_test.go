package documents

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// noTest says of how many blocks below a heading no test runs, and why.
var noTest = map[string]struct {
	blocks int
	why    string
}{
	"CONTRIBUTING.md#The house":          {1, "a drawing"},
	"docs/coredns.io/headless.md#Syntax": {1, "as in README.md"},
	"README.md#Syntax":                   {1, "the form of a stanza, and none"},
	"docs/deploy.md#The image":           {2, "a registry, and nodes of somebody else's; what `make image` gives has tests of its own"},
	"docs/deploy.md#The Helm chart":      {1, "the chart is not to be had here; TestDeployCorefiles starts what its values make"},
}

// Every fenced block of a document is run by the test that says so, in a line of its comment of this form, with the number of blocks that it
// runs: of a document, or of those that stand below one of its headings. Several tests, and noTest, may share them.
//
//	//doc:runs README.md#Examples 3
//
// What is indented instead is no block: commands that readers shall copy are fenced.
func TestEveryBlockIsRun(t *testing.T) {
	wanted := declared(t)
	for section, no := range noTest {
		wanted[section] += no.blocks
		if no.blocks < 1 || no.why == "" {
			t.Errorf("noTest says nothing of %s", section)
		}
	}
	found := make(map[string]int)
	for _, path := range markdown(t) {
		if path == "README.zh.md" { // its blocks are README.md's: TestChineseReadme
			continue
		}
		blocks, err := Blocks(path)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			section := path + "#" + b.Heading
			_, whole := wanted[path]
			_, below := wanted[section]
			switch {
			case whole && below:
				t.Errorf("%s:%d: declared by %s and by %s", path, b.Line, path, section)
			case below:
				found[section]++
			case whole:
				found[path]++
			default:
				t.Errorf("%s:%d: no test says that it runs the block below %q", path, b.Line, b.Heading)
			}
		}
	}
	for section, n := range wanted {
		if found[section] != n || n == 0 {
			t.Errorf("%s has %d blocks, tests and noTest say %d", section, found[section], n)
		}
	}
}

var declaration = regexp.MustCompile(`^//doc:runs (.+) (\d+)$`)

// declared is how many blocks the tests say that they run, by document and heading. A declaration stands in the comment of a test.
func declared(t *testing.T) map[string]int {
	t.Helper()
	runs := make(map[string]int)
	walk(t, "_test.go", func(path string) {
		file, err := os.DirFS(parts.Root()).Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close() // read only
		waiting := ""
		for lines := bufio.NewScanner(file); lines.Scan(); {
			line := lines.Text()
			m := declaration.FindStringSubmatch(line)
			switch {
			case m != nil:
				n, err := strconv.Atoi(m[2])
				if err != nil {
					t.Fatal(err)
				}
				runs[m[1]] += n
				waiting = m[1]
			case waiting != "" && strings.HasPrefix(line, "func Test"):
				waiting = ""
			case waiting != "" && !strings.HasPrefix(line, "//"):
				t.Errorf("%s: the declaration of %q is not the comment of a test", path, waiting)
				waiting = ""
			}
		}
	})
	return runs
}

// linesOfBlocks are all lines of blocks that tests run.
func linesOfBlocks(t *testing.T) map[string]bool {
	t.Helper()
	lines := make(map[string]bool)
	for _, path := range markdown(t) {
		blocks, err := Blocks(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			for line := range strings.Lines(b.Text) {
				line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
				lines[line] = lines[line] || noTest[path+"#"+b.Heading].blocks == 0
			}
		}
	}
	return lines
}

func markdown(t *testing.T) (paths []string) {
	t.Helper()
	walk(t, ".md", func(path string) { paths = append(paths, path) })
	return paths
}

// walk calls f for every file of the project whose name ends so.
func walk(t *testing.T, end string, f func(path string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(parts.Root()), ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && len(path) > 1 && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case !e.IsDir() && strings.HasSuffix(path, end):
			f(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
