// Package documents reads the project's documents, so that tests can run what stands in them.
package documents

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/coredns-headless/headless/test/parts"
)

// Block is a fenced block.
type Block struct {
	// Heading is the last one above; Language and By stand behind the fence: what runs the block
	// (TestEveryBlockIsRun).
	Heading, Language, By, Text string
	// Line is the first one of Text, from 1.
	Line int
}

var fence = regexp.MustCompile("^ *```+ *([a-z]*) *([^ `]*)$")

// Blocks are those of a document, in order. Its path is relative to the project's root.
func Blocks(path string) (list []Block, err error) {
	text, err := os.ReadFile(filepath.Join(parts.Root(), path))
	if err != nil {
		return nil, err
	}
	var b *Block
	heading, n := "", 0
	for line := range strings.Lines(string(text)) {
		n++
		m := fence.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		title, isTitle := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		switch {
		case m != nil && b == nil:
			b = &Block{Heading: heading, Language: m[1], By: m[2], Line: n + 1}
		case m != nil:
			list, b = append(list, *b), nil
		case b != nil:
			b.Text += line
		case isTitle && line[0] == '#':
			heading = strings.TrimSpace(title)
		}
	}
	if b != nil {
		return nil, fmt.Errorf("%s:%d: a block without an end", path, b.Line)
	}
	return list, nil
}
