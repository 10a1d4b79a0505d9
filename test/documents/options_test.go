package documents

import (
	"regexp"
	"strings"
	"testing"
)

// Each option stands in a Corefile of the README, which a test starts.
func TestEveryOptionHasAnExample(t *testing.T) {
	blocks, err := Blocks("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var options []string
	var corefiles strings.Builder
	for _, b := range blocks {
		switch {
		case b.Heading == "Syntax":
			for _, m := range regexp.MustCompile(`(?m)^    ([a-z_]+)`).FindAllStringSubmatch(b.Text, -1) {
				options = append(options, m[1])
			}
		case b.Language == "corefile":
			corefiles.WriteString(b.Text)
		}
	}
	for _, o := range options {
		if !regexp.MustCompile(`(?m)^ {7}` + o + `\b`).MatchString(corefiles.String()) {
			t.Errorf("no Corefile of the README has %s", o)
		}
	}
	if len(options) < 10 {
		t.Errorf("options %q", options)
	}
}
