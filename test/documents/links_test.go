package documents

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

var (
	link    = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links of documents lead to files and headings that are there.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range files(t, ".md") {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			to, anchor := file, m[2]
			if m[1] != "" {
				to = path.Join(path.Dir(file), m[1])
			}
			if _, err := os.Stat(filepath.Join(parts.Root(), to)); err != nil {
				t.Errorf("%s leads to %s: %v", file, to, err)
			} else if anchor != "" && !hasHeading(read(t, to), anchor) {
				t.Errorf("%s leads to %s#%s: there is no such heading", file, to, anchor)
			}
		}
	}
}

// hasHeading reports whether forges make that anchor of one of the text's headings.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		heading := strings.TrimLeft(line, "#")
		slug := notSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
		if heading != line && strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}
