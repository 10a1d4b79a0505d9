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
	runbook = regexp.MustCompile(`docs/(\w+\.md)#([\w-]+)`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links of documents, and alerts' runbooks, lead to files and headings that are there.
func TestLinksLeadSomewhere(t *testing.T) {
	n := 0
	for _, file := range markdown(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			n++
			to := file
			if m[1] != "" {
				to = path.Join(path.Dir(file), m[1])
			}
			leads(t, file, to, m[2])
		}
	}
	walk(t, ".yaml", func(file string) {
		for _, m := range runbook.FindAllStringSubmatch(read(t, file), -1) {
			leads(t, file, "docs/"+m[1], m[2])
		}
	})
	if n < 10 {
		t.Errorf("only %d links", n)
	}
}

// The page that alerts lead to has a section for each of them.
func TestTroubleshootingHasARunbookForEveryAlert(t *testing.T) {
	for _, anchor := range []string{
		"not-synced", "stale", "objects-skipped", "requests-failing", "programming-latency", "servfail", "no-metrics", "snapshot-old",
	} {
		leads(t, "the alerts", "docs/troubleshooting.md", anchor)
	}
}

func leads(t *testing.T, from, to, anchor string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(parts.Root(), to)); err != nil {
		t.Errorf("%s leads to %s: %v", from, to, err)
		return
	}
	if anchor == "" {
		return
	}
	for line := range strings.Lines(read(t, to)) {
		heading := strings.TrimLeft(line, "#")
		if heading != line && slug(heading) == anchor {
			return
		}
	}
	t.Errorf("%s leads to %s#%s: there is no such heading", from, to, anchor)
}

// slug is a heading's anchor, as forges make it.
func slug(heading string) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")
}
