package documents

import (
	"strings"
	"testing"
)

// What a story shows of its Corefile stands there; test/node runs the whole of it.
//
//doc:runs examples/bootstrap/README.md 1
//doc:runs examples/host-network/README.md 1
//doc:runs examples/recreate/README.md 1
//doc:runs examples/scale/README.md 1
//doc:runs examples/storm/README.md 1
//doc:runs examples/ws/README.md 1
func TestStoriesShowTheirCorefiles(t *testing.T) {
	for _, path := range markdown(t) {
		folder, ok := strings.CutSuffix(path, "/README.md")
		if !ok || !strings.HasPrefix(path, "examples/") {
			continue
		}
		blocks, err := Blocks(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.Language == "corefile" && !strings.Contains(read(t, folder+"/Corefile"), b.Text) {
				t.Errorf("%s:%d is not in the Corefile", path, b.Line)
			}
		}
	}
}
