package documents

import (
	"strings"
	"testing"
)

// The page for CoreDNS's site says what README and build say, in the form that the site's pages have.
//
//doc:runs docs/coredns.io/headless.md#External Plugin 1
func TestSitePage(t *testing.T) {
	page, readme := read(t, "docs/coredns.io/headless.md"), read(t, "README.md")
	head, _, ok := strings.Cut(strings.TrimPrefix(page, "+++\n"), "\n+++\n")
	if !ok || !strings.HasPrefix(page, "+++\n") {
		t.Fatal("no front matter")
	}
	for _, key := range []string{"title", "description", "weight", "tags", "categories", "date", "repo", "home"} {
		if strings.Count("\n"+head, "\n"+key+" = ") != 1 {
			t.Errorf("front matter lacks %s", key)
		}
	}
	_, name, _ := strings.Cut(readme, "\n## Name\n\n")
	name, _, _ = strings.Cut(name, "\n")
	if !strings.Contains(head, `description = "`+name+`"`) {
		t.Errorf("the description is not the README's: %s", name)
	}
	blocks, err := Blocks("docs/coredns.io/headless.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.Heading == "External Plugin" && !strings.Contains(readme, strings.TrimSpace(b.Text)) {
			t.Errorf("the README builds without %q", b.Text)
		}
	}
}
