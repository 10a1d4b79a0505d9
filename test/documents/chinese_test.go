package documents

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```\n")
	code    = regexp.MustCompile("`[^`]+`")
	figure  = regexp.MustCompile(`\d[\d,.]*\d|\d`)
	capital = regexp.MustCompile(`\b[A-Z][A-Z]*\b`)
	row     = regexp.MustCompile(`(?m)^\|.*$`)
	emphasy = regexp.MustCompile(`\*\*?[\w]+\*\*?`)
)

// The Chinese README has the blocks of the English one, and in each section its options, names, metrics, plugins and figures, and its tables' rows. So
// whoever changes one of them is told of the other.
func TestChineseReadme(t *testing.T) {
	english, chinese := read(t, "README.md"), read(t, "README.zh.md")
	for _, c := range [][2]string{{english, "(README.zh.md)"}, {chinese, "(README.md)"}} {
		if head, _, _ := strings.Cut(c[0], "\n## "); !strings.Contains(head, c[1]) {
			t.Errorf("no link %s at the top", c[1])
		}
	}
	if d := cmp.Diff(fenced.FindAllString(english, -1), fenced.FindAllString(chinese, -1)); d != "" {
		t.Errorf("blocks (-README.md +README.zh.md):\n%s", d)
	}
	ours, theirs := strings.Split(english, "\n## "), strings.Split(chinese, "\n## ")
	if len(ours) != len(theirs) {
		t.Fatalf("%d sections, %d in Chinese", len(ours), len(theirs))
	}
	for i := range ours {
		title, _, _ := strings.Cut(ours[i], "\n")
		if d := cmp.Diff(kept(ours[i]), kept(theirs[i])); d != "" {
			t.Errorf("%s (-README.md +README.zh.md):\n%s", title, d)
		}
		if d := cmp.Diff(cells(ours[i]), cells(theirs[i])); d != "" {
			t.Errorf("tables of %s (-README.md +README.zh.md):\n%s", title, d)
		}
	}
}

// kept is what a translation keeps of a section: code, names of plugins and arguments, and figures, each once and sorted.
func kept(section string) (list []string) {
	section = row.ReplaceAllString(fenced.ReplaceAllString(section, ""), "")
	for _, c := range code.FindAllString(section, -1) {
		list = append(list, strings.Join(strings.Fields(c), " "))
	}
	section = code.ReplaceAllString(section, "")
	list = append(list, emphasy.FindAllString(section, -1)...)
	list = append(list, figure.FindAllString(section, -1)...)
	slices.Sort(list)
	return slices.Compact(list)
}

// cells are what a translation keeps of a section's tables: example, and types of question and reply.
func cells(section string) (list []string) {
	for _, r := range row.FindAllString(fenced.ReplaceAllString(section, ""), -1) {
		f := strings.Split(r, "|")
		list = append(list, strings.Join(append(code.FindAllString(r, -1), capital.FindAllString(strings.Join(f[min(3, len(f)):], " "), -1)...), " "))
	}
	return list
}
