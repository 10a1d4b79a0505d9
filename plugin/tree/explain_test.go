package tree

import (
	"strings"
	"testing"
)

func TestExplainBeforeAnythingIsKnown(t *testing.T) {
	tr := New("a", "b")
	tr.Writer("a")
	for ns, want := range map[string]string{"a": "is not synced yet", "b": "has no Service", "c": "is not watched"} {
		p := Path{N: 1}
		p.Labels[0] = []byte(ns)
		if list := tr.Explain(&p, false, false); len(list) != 1 || !strings.Contains(list[0], want) {
			t.Errorf("%s: %q, want %q", ns, list, want)
		}
	}
}
