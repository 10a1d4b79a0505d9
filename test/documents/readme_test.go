package documents

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	fenced = regexp.MustCompile("(?ms)^```.*?^```\n")
	code   = regexp.MustCompile("`[^`]+`")
)

// The Chinese README has the blocks of the English one, and names the same options, metrics, names and files.
func TestChineseReadme(t *testing.T) {
	english, chinese := read(t, "README.md"), read(t, "README.zh.md")
	if d := cmp.Diff(fenced.FindAllString(english, -1), fenced.FindAllString(chinese, -1)); d != "" {
		t.Errorf("blocks (-README.md +README.zh.md):\n%s", d)
	}
	if d := cmp.Diff(codes(english), codes(chinese)); d != "" {
		t.Errorf("what stands between backquotes (-README.md +README.zh.md):\n%s", d)
	}
}

// codes are what stands between backquotes outside blocks, each once and sorted.
func codes(text string) []string {
	list := code.FindAllString(fenced.ReplaceAllString(text, ""), -1)
	for i, c := range list {
		list[i] = strings.Join(strings.Fields(c), " ")
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// The README is an overview, and the lines of all documents fit a window, except in tables and blocks.
func TestLinesAndLengths(t *testing.T) {
	for _, path := range []string{"README.md", "README.zh.md"} {
		if n := strings.Count(read(t, path), "\n"); n > 150 {
			t.Errorf("%s has %d lines, at most 150 are allowed", path, n)
		}
	}
	for _, path := range files(t, ".md") {
		if strings.HasPrefix(path, "docs/reliability/") {
			continue // reports that commands write
		}
		for line := range strings.Lines(fenced.ReplaceAllString(read(t, path), "")) {
			if len([]rune(strings.TrimSuffix(line, "\n"))) >= 120 && !strings.HasPrefix(line, "|") {
				t.Errorf("%s has a line of 120 columns or more: %s", path, line)
			}
		}
	}
}

// Each option in the reference's Syntax is in a Corefile of the reference, which TestReferenceCorefiles starts.
func TestEveryOptionHasAnExample(t *testing.T) {
	blocks, err := Blocks("docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var syntax, corefiles strings.Builder
	for _, b := range blocks {
		switch {
		case b.Heading == "Syntax":
			syntax.WriteString(b.Text)
		case b.Language == "corefile":
			corefiles.WriteString(b.Text)
		}
	}
	options := regexp.MustCompile(`(?m)^   ( [a-z_]+)`).FindAllStringSubmatch(syntax.String(), -1)
	for _, o := range options {
		if !strings.Contains(corefiles.String(), "\n      "+o[1]) {
			t.Errorf("no Corefile of docs/reference.md has%s", o[1])
		}
	}
	if len(options) == 0 {
		t.Error("the Syntax of docs/reference.md has no options")
	}
}
